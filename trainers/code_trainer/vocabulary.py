"""What a patch of one task may be written with: its own code, its issue, its repository's names.

A vocabulary learned from other tasks covers 4 % of the patches whole (research page §0); the
tokens of the task itself cover more than half. Nothing outside of it can be emitted; how much of a
truth it covers is measured, never hidden.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainers.code_trainer.code_tokens import BLANK, LINE_ENDS, SYNTAX, words

PAD, START, END, OOV = "<PAD>", "<START>", "<END>", "<OOV>"
SPECIALS = (PAD, START, END, OOV)
"""Of these only ``<END>`` is ever emitted; ``<OOV>`` stands for what is read and not held."""
SOURCES = ("syntax", "window", "issue", "file", "repository")
FEATURES = (*SOURCES, "window_count", "file_count", "identifier", "literal")
LIMIT = 4_000

_DEFINITION = re.compile(r"^[ \t]*(?:async[ \t]+def|def|class)[ \t]+(\w+)", re.MULTILINE)
_IDENTIFIER = re.compile(r"[^\W\d]\w*\Z")


@dataclass(frozen=True)
class Coverage:
    """How much of some tokens a vocabulary holds; ``missing`` in order, each once."""

    known: int
    total: int
    missing: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """True where every token is held."""
        return self.known == self.total


class TaskVocabulary:
    """The tokens of one task with where they come from; ids are positions, specials first.

    Attributes:
        tokens: by id.
        features: (n, len(FEATURES)) float32: sources as 0 or 1, logarithms of counts, kinds.
    """

    def __init__(
        self,
        window: Sequence[str],
        file: Iterable[str] = (),
        issue: Iterable[str] = (),
        definitions: Iterable[str] = (),
        limit: int = LIMIT,
    ) -> None:
        """Collect the tokens.

        Args:
            window: of the lines around the edit.
            file: of the edited file, each as often as it stands there.
            issue: of the issue's text.
            definitions: names that the repository defines, the likeliest first.
            limit: the most tokens; window and issue go before the file's rarer ones and these
                before the repository's names.
        """
        counts = Counter(file)
        near = Counter(window)
        by_source: dict[str, Iterable[str]] = {
            "syntax": (*SYNTAX, *LINE_ENDS),
            "window": near,
            "issue": dict.fromkeys(issue),
            "file": [token for token, _ in counts.most_common()],
            "repository": dict.fromkeys(definitions),
        }
        sources: dict[str, set[str]] = {}
        for source, members in by_source.items():
            for token in members:
                if token in sources or len(sources) + len(SPECIALS) < limit:
                    sources.setdefault(token, set()).add(source)
        self.tokens: tuple[str, ...] = (*SPECIALS, *sources)
        self._ids = {token: i for i, token in enumerate(self.tokens)}
        self.features = torch.tensor(
            [
                [float(source in sources.get(token, ())) for source in SOURCES]
                + [float(near[token]), float(counts[token])]
                + [float(_is_name(token)), float(token[:1] in "\"'" or token[:1].isdigit())]
                for token in self.tokens
            ],
            dtype=torch.float32,
        )
        self.features[:, len(SOURCES) : len(SOURCES) + 2].log1p_()

    @classmethod
    def of_texts(
        cls,
        window: Sequence[str],
        file_text: str,
        issue_text: str,
        definitions: Iterable[str] = (),
        limit: int = LIMIT,
    ) -> "TaskVocabulary":
        """The vocabulary of a task from its texts."""
        return cls(window, words(file_text), issue_words(issue_text), definitions, limit)

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: str) -> bool:
        return token in self._ids and token not in SPECIALS

    def id(self, token: str) -> int:
        """The id of a token; that of ``<OOV>`` where it is not held."""
        return self._ids.get(token, self._ids[OOV])

    def coverage(self, tokens: Iterable[str]) -> Coverage:
        """How much of some tokens is held."""
        found = list(tokens)
        missing = [token for token in found if token not in self]
        return Coverage(len(found) - len(missing), len(found), tuple(dict.fromkeys(missing)))

    def allowed(self) -> Tensor:
        """(n,) bool: what may be emitted: all but the specials that are not ``<END>``."""
        mask = torch.ones(len(self), dtype=torch.bool)
        mask[[self._ids[token] for token in SPECIALS if token != END]] = False
        return mask


def issue_words(text: str) -> list[str]:
    """The tokens of an issue: code as tokens, and what stands in quotes without them too."""
    found = [token for token in words(text) if token not in LINE_ENDS and token != BLANK]
    inner = [part for token in found if token[:1] in "\"'`" for part in words(token.strip("\"'`"))]
    return [*found, *(token for token in inner if token not in LINE_ENDS)]


def definitions(text: str) -> list[str]:
    """Names of the functions and classes that a text defines, in order."""
    return _DEFINITION.findall(text)


def _is_name(token: str) -> bool:
    return bool(_IDENTIFIER.match(token))
