"""Figures of what became of programs: shares with their intervals, by class, edits and tick."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from memory.records import Figure
from trainers import statistics
from trainers.ctm.data.edits import MAX_EDITS
from trainers.ctm.data.taxonomy import CLASSES
from trainers.ctm.evaluate import Outcomes

_RESAMPLES = 1000


def figures(outcomes: Outcomes, *, seed: int = 0) -> dict[str, Figure]:
    """All figures by name; those of parts are ``fix_accuracy.syntax``, ``.edits_2``, ``.tick_03``.

    ``token_accuracy`` is the share of the lexemes to be changed that are as they should be after
    the repair (copying the input has 0), ``lexeme_accuracy`` counts all lexemes of broken programs;
    ``lexeme_accuracy_copy`` is what copying has there.
    """
    bugs = outcomes.edits > 0
    fixed, edits = outcomes.fixed, outcomes.edits
    missing = np.minimum(outcomes.missing, edits)
    found = {
        "fix_accuracy": _share(fixed[bugs]),
        "whole_accuracy": _share(fixed),
        "clean_kept": _share(fixed[~bugs]),
        "localisation_acc1": _share(outcomes.located[bugs]),
        "token_accuracy": _ratio((edits - missing)[bugs], edits[bugs], seed),
        "lexeme_accuracy": _ratio(
            np.maximum(outcomes.lexemes - outcomes.missing, 0)[bugs], outcomes.lexemes[bugs], seed
        ),
        "lexeme_accuracy_copy": _ratio(
            np.maximum(outcomes.lexemes - edits, 0)[bugs], outcomes.lexemes[bugs], seed
        ),
        "ece": statistics.ece(
            outcomes.probability,
            fixed.astype(float),
            [str(number) for number in range(len(fixed))],
            seed=seed,
        ),
        "auroc": auroc(outcomes.probability, fixed, seed),
        "auroc_certainty": auroc(outcomes.certainty, fixed, seed),
        "samples_per_s": Figure(len(fixed) / max(outcomes.seconds, 1e-9), None, None, len(fixed)),
    }
    names = np.array(outcomes.bug_class)
    for name in CLASSES:
        if name != "clean" and (names == name).any():
            found[f"fix_accuracy.{name}"] = _share(fixed[names == name])
    for count in range(1, MAX_EDITS + 1):
        if (edits == count).any():
            found[f"fix_accuracy.edits_{count}"] = _share(fixed[edits == count])
    for tick, row in enumerate(outcomes.by_tick, 1):
        found[f"fix_accuracy.tick_{tick:02}"] = _share(row[bugs[: len(row)]])
    return found


def nested(found: dict[str, Figure]) -> dict[str, Any]:
    """Figures as the benchmark prints them: parts as ``fix_accuracy_by_type`` and its like."""
    plain = {name: one.to_json() for name, one in found.items()}
    parts = {name.partition(".")[2]: one for name, one in plain.items() if "." in name}
    document: dict[str, Any] = {name: one for name, one in plain.items() if "." not in name}
    document["fix_accuracy_by_type"] = {n: one for n, one in parts.items() if n in CLASSES}
    document["fix_accuracy_by_edits"] = [
        parts.get(f"edits_{n}", Figure(None, None, None, 0).to_json())
        for n in range(1, MAX_EDITS + 1)
    ]
    document["fix_accuracy_by_tick"] = [
        parts[name] for name in sorted(parts) if name.startswith("tick_")
    ]
    return document


def auroc(scores: NDArray[np.float64], right: NDArray[np.bool_], seed: int) -> Figure:
    """Area under the curve over programs, with a percentile bootstrap over them."""
    value = statistics.auc(scores, right.astype(float))
    if value is None:
        return Figure(None, None, None, len(scores))
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(_RESAMPLES):
        rows = rng.integers(len(scores), size=len(scores))
        positive = right[rows]
        count = int(positive.sum())
        if 0 < count < len(rows):
            ranks = stats.rankdata(scores[rows])
            above = ranks[positive].sum() - count * (count + 1) / 2
            drawn.append(above / (count * (len(rows) - count)))
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return Figure(value, min(low, value), max(high, value), len(scores))


def _share(values: NDArray[np.bool_]) -> Figure:
    return statistics.wilson(int(values.sum()), len(values))


def _ratio(above: NDArray[np.int64], below: NDArray[np.int64], seed: int) -> Figure:
    return statistics.ratio_of_means(above, below, seed=seed)
