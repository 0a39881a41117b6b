"""Factors of named rows, their products, and seeded noise."""

import torch

from memory.hologram.codebook import Codebook
from memory.hologram.factor import Factor
from memory.hologram.hypervectors import bind


def factors(sizes: list[int], dimensions: int = 10_000, *, rotated: bool = True) -> list[Factor]:
    book = Codebook(dimensions)
    return [
        Factor(book.packed(f"k{i}", [*map(str, range(size))]), dimensions, i if rotated else 0)
        for i, size in enumerate(sizes)
    ]


def product(chosen: list[Factor], places: list[int]) -> torch.Tensor:
    return bind(*(f.take(torch.tensor([p]))[0] for f, p in zip(chosen, places, strict=True)))


def noise(size: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))
