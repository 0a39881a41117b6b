"""What edit scripts have in common, as labels: the operation and the tokens without the names."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from torch import Tensor

from memory.hologram.consolidation import ConsolidationManager
from trainers.code_trainer.code_tokens import LINE_ENDS, SYNTAX
from trainers.code_trainer.edit_script import EditScript
from trainers.code_trainer.generator import Recall, RecalledPattern

NAME, LITERAL = "<NAME>", "<LITERAL>"
_KEPT = frozenset((*SYNTAX, *LINE_ENDS))
_LONGEST = 12


def pattern_label(script: EditScript) -> str:
    """JSON of the operation and the first tokens: names and literals as such, syntax as it is."""
    return json.dumps([script.operation, *map(_class, script.tokens[:_LONGEST])])


def pattern_tokens(label: str) -> tuple[str, ...]:
    """The syntax that patches of a label are written with; empty of another kind of label."""
    try:
        parts = json.loads(label)
    except ValueError:
        return ()
    if not isinstance(parts, list):
        return ()
    return tuple(part for part in parts[1:] if part in _KEPT)


def frequent_labels(scripts: Iterable[EditScript], least: int = 4) -> tuple[str, ...]:
    """The labels that at least so many scripts have, commonest first: outputs of the head."""
    counts = Counter(pattern_label(script) for script in scripts)
    return tuple(label for label, count in counts.most_common() if count >= least)


def recall_from(memory: ConsolidationManager, labels: Sequence[str], k: int = 5) -> Recall:
    """Recall of a neural memory whose facts are labelled with ``pattern_label``.

    Its weights hold the facts of all times: of an earlier time it tells nothing.

    Args:
        memory: what was consolidated.
        labels: of the network's pattern head, by index.
        k: how many patterns.
    """
    index = {label: place for place, label in enumerate(labels)}

    def recall(issue: Tensor, before: float | None) -> list[RecalledPattern]:
        if before is not None:
            return []
        return [
            RecalledPattern(
                found.label, found.probability, index.get(found.label), pattern_tokens(found.label)
            )
            for found in memory.recall(issue, k)
        ]

    return recall


def _class(token: str) -> str:
    if token in _KEPT:
        return token
    return LITERAL if token[:1] in "\"'#" or token[:1].isdigit() else NAME
