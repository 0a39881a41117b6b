"""The best products of a row from each factor, by comparing all of them with an observation.

With bipolar vectors, A (y ⊙ B)ᵀ compares y with the product of every row of A and every row of B:
one 8-bit matrix product. A true product stands out on few dimensions, so candidates are found on
512 and then compared on all. Only where none is told from chance are more dimensions looked at, in
the end all.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from memory.hologram.bits import WORD
from memory.hologram.factor import Factor, Match, chance_level, window
from memory.hologram.hypervectors import bind
from memory.hologram.scoring import products, quantised

MULTIPLICATIONS = 5e11  # that one look at all products may take: 1 s of one core with VNNI

_SKETCHES = (512, 2048)  # dimensions
_SCORES = 1_000_000  # at once: 4 MB
_BLOCK = 16_000_000  # bytes of rows at once
_KEPT = 64  # candidates that are compared on all dimensions


def widths(sizes: Sequence[int], dimensions: int, limit: float = MULTIPLICATIONS) -> list[int]:
    """The numbers of dimensions to look at in turn; none where all products are too many."""
    steps = [width for width in _SKETCHES if width + WORD <= dimensions]
    return [width for width in (*steps, dimensions) if math.prod(sizes) * width <= limit]


def best_products(
    observation: Tensor, factors: Sequence[Factor], k: int, limit: float = MULTIPLICATIONS
) -> list[Match]:
    """The k products nearest to (D,), best first; empty where widths() is.

    Of products that are not told from chance, those of the last look are given, which need not be
    the very best.
    """
    sizes = [len(factor) for factor in factors]
    dimensions = observation.shape[0]
    least = chance_level(math.prod(sizes), dimensions)
    found: list[Match] = []
    for width in widths(sizes, dimensions, limit):
        asked = quantised(window(observation, width))
        places = _candidates(asked, factors, max(_KEPT, 4 * k))
        found = compare(observation, factors, places)
        if _settled(found[:k], k, least):
            break
    return found[:k]


def compare(observation: Tensor, factors: Sequence[Factor], places: Tensor) -> list[Match]:
    """Matches of (c, factors) places on all dimensions, best first."""
    columns = zip(factors, places.unbind(1), strict=True)
    rows = bind(*(factor.take(column) for factor, column in columns))
    norm = float(observation.float().norm()) * observation.shape[0] ** 0.5
    order = torch.sort(rows.float() @ observation.float() / norm, descending=True, stable=True)
    chosen = places[order.indices].tolist()
    return [
        Match(tuple(row), cosine) for row, cosine in zip(chosen, order.values.tolist(), strict=True)
    ]


def _settled(found: Sequence[Match], k: int, least: float) -> bool:
    """Whether the k best are known, or too little is left over for another to stand out.

    Products are nearly orthogonal, so the squares of their cosines sum to at most about 1.
    """
    sure = [match.similarity for match in found if match.similarity >= least]
    return bool(sure) and (len(sure) == k or 1 - sum(s * s for s in sure) < least**2)


def _candidates(observation: Tensor, factors: Sequence[Factor], keep: int) -> Tensor:
    """Places (keep, factors) of the best products on the window of int8 (width,)."""
    right = _smaller_half([len(factor) for factor in factors])
    left = [place for place in range(len(factors)) if place not in right]
    fixed = observation * _Products([factors[i] for i in right]).rows(len(observation))
    moving = _Products([factors[i] for i in left])
    best = torch.empty(0, dtype=torch.int64)
    scores = torch.empty(0, dtype=torch.int32)
    step = max(1, min(_SCORES // len(fixed), _BLOCK // len(observation)))
    for start in range(0, len(moving), step):
        numbers = torch.arange(start, min(start + step, len(moving)))
        block = products(moving.rows(len(observation), numbers), fixed)
        # The best pairs are in the rows with the best maxima.
        rows = block.amax(1).topk(min(keep, len(block))).indices
        top = block[rows].flatten().topk(min(keep, len(rows) * len(fixed)))
        pairs = numbers[rows[top.indices // len(fixed)]] * len(fixed) + top.indices % len(fixed)
        scores, best = torch.cat((scores, top.values)), torch.cat((best, pairs))
        order = scores.topk(min(keep, len(scores))).indices
        scores, best = scores[order], best[order]
    order_of_factors = (*left, *right)
    columns = torch.unravel_index(best, [len(factors[i]) for i in order_of_factors])
    return torch.stack([columns[order_of_factors.index(i)] for i in range(len(factors))], 1)


@dataclass(frozen=True)
class _Products:
    """All products of a row from each of some factors, numbered with the last factor fastest."""

    factors: Sequence[Factor]

    def __len__(self) -> int:
        return math.prod(len(factor) for factor in self.factors)

    def rows(self, width: int, numbers: Tensor | None = None) -> Tensor:
        """int8 (n, width) on the window of so many dimensions."""
        if not self.factors:
            return torch.ones(1, width, dtype=torch.int8)
        chosen = torch.arange(len(self)) if numbers is None else numbers
        columns = torch.unravel_index(chosen, [len(factor) for factor in self.factors])
        parts = zip(self.factors, columns, strict=True)
        return bind(*(factor.take(column, width) for factor, column in parts))


def _smaller_half(sizes: Sequence[int]) -> tuple[int, ...]:
    """The factors on the smaller side of the most even split, whose other side is not empty."""
    sides = (
        side
        for count in range(len(sizes))
        for side in itertools.combinations(range(len(sizes)), count)
    )
    total = math.prod(sizes)
    return min(sides, key=lambda side: max(p := math.prod(sizes[i] for i in side), total // p))
