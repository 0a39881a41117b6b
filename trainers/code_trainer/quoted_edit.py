"""One edit that an issue writes out, and how likely each kind is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Replacement = tuple[int, int, tuple[str, ...]]
"""Lines from the first (from 0) to the second (excluded) give way to the third."""

MOST_TOGETHER = 4
"""Replacements that one edit may have."""

WEIGHTS: Mapping[str, float] = {
    "kind.pair": 2.0, "kind.block": 1.0, "kind.like": 0.5, "kind.insert": -2.0,
    "alike": 3.0, "signed": 2.0, "cue": 1.0, "apart": -0.4, "after": 0.5, "whole": 0.5,
    "length": 0.4, "places": -1.0, "all": -1.0, "end": 0.3, "known": -1.0,
}  # fmt: skip
"""Of the features, set by hand: logarithms of how much likelier each makes an edit."""


@dataclass(frozen=True)
class QuotedEdit:
    """Replacements, what speaks for them, and what of the issue they were made of."""

    replacements: tuple[Replacement, ...]
    features: Mapping[str, float]
    quoted: str

    @property
    def score(self) -> float:
        """The logarithm of how likely it was taken to be, up to a constant."""
        return sum(WEIGHTS[name] * value for name, value in self.features.items())

    @property
    def line(self) -> int:
        """The first changed line, from 1."""
        return self.replacements[0][0] + 1

    @property
    def operation(self) -> str:
        """One of the seed's six operations."""
        replaces = any(end > start for start, end, _ in self.replacements)
        return "modify_line" if replaces else "add_line"

    def applied(self, lines: Sequence[str]) -> str:
        """The text with the edit in it; ``lines`` of the old one, without their ends."""
        made = list(lines)
        for start, end, new in sorted(self.replacements, reverse=True):
            made[start:end] = new
        return "\n".join(made)
