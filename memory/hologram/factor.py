"""One codebook of a product, and how a match is told from chance."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from memory.errors import HologramError
from memory.hologram.bits import WORD, Words, unpack, words

FALSE_ALARM = 1e-6  # chance that a random observation matches any of the candidates


@dataclass(frozen=True)
class Match:
    """A row of each factor, and the cosine of their product with the observation."""

    places: tuple[int, ...]
    similarity: float


@dataclass(frozen=True)
class Factor:
    """A codebook whose rows are rotated by up to 64 places, so that roles differ."""

    rows: Words
    dimensions: int
    shift: int = 0

    def __post_init__(self) -> None:
        if not len(self.rows):
            raise HologramError("a factor needs at least one row to choose among")
        if not 0 <= self.shift <= WORD:
            raise HologramError(f"a factor is rotated by 0 to {WORD} places, not {self.shift}")

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, places: Tensor | None = None, width: int | None = None) -> Tensor:
        """int8 (k, D): the chosen rows or all, rotated; with a width, what window() leaves."""
        rows = self.rows if places is None else self.rows[places.numpy()]
        if width is None or width == self.dimensions:
            return torch.roll(unpack(rows, self.dimensions), self.shift, -1)
        first = WORD - self.shift
        few = words(first + width)
        return unpack(rows[:, :few], few * WORD)[:, first : first + width]


def window(vector: Tensor, width: int) -> Tensor:
    """The dimensions (…, width) of a vector (…, D) that Factor.take() gives: all, or from the 65th.

    So many can be skipped that no rotation brings the last dimensions into sight.
    """
    return vector if width == vector.shape[-1] else vector[..., WORD : WORD + width]


def chance_level(candidates: int, dimensions: int) -> float:
    """The cosine that a random observation reaches with any candidate in a millionth of cases.

    By Hoeffding's bound, whatever the observation's numbers: P(cosine >= c) <= exp(-c² D / 2).
    """
    return math.sqrt(2 * math.log(max(2, candidates) / FALSE_ALARM) / dimensions)
