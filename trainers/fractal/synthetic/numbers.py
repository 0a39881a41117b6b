"""How the networks see a whole number: its size, its residues, its digits."""

import math

import torch
from torch import Tensor

UNKNOWN = -(10**9)  # a value that is not known: an open root before it, or an inexact division
LIMIT = 9_999  # numbers beyond are seen as this one
_PERIODS = (
    2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 16, 20, 25,
    32, 40, 50, 64, 100, 128, 200, 256, 400, 1000, 2000,
)  # fmt: skip
_OCTAVES = (0.125, 0.25, 0.5, 1.0, 4.0, 10.0)
_DIGITS = 4
FEATURES = 4 + 2 * len(_PERIODS) + 2 * len(_OCTAVES) + 10 * _DIGITS
RATIO_FEATURES = 2 + 2 * len(_OCTAVES)


def feature_table() -> Tensor:
    """float32 (2 LIMIT + 2, FEATURES): a row for each number from -LIMIT, the last for unknown.

    Residues as points on circles make sums and differences products of features; circles over the
    logarithm do the same for factors (Fourier features: Tancik et al. 2020).
    """
    number = torch.arange(-LIMIT, LIMIT + 1)
    size = number.abs()
    real = number.to(torch.float32)[:, None]
    log = torch.log2(1.0 + size.to(torch.float32))[:, None]
    turns = torch.cat([real / torch.tensor(_PERIODS), log / torch.tensor(_OCTAVES)], -1)
    angle = 2 * math.pi * turns
    tens = torch.tensor([10**i for i in range(_DIGITS)])
    digits = torch.nn.functional.one_hot((size[:, None] // tens) % 10, 10).flatten(1)
    known = torch.cat(
        [real / 1000, log / 10, (number < 0)[:, None].float(), angle.sin(), angle.cos(),
         digits.float()], 1,
    )  # fmt: skip
    known = torch.nn.functional.pad(known, (1, 0))
    unknown = torch.zeros(1, FEATURES)
    unknown[0, 0] = 1.0
    return torch.cat([known, unknown])


def table_rows(values: Tensor) -> Tensor:
    """Map int64 (...) of numbers to the rows of :func:`feature_table`."""
    return torch.where(values == UNKNOWN, 2 * LIMIT + 1, values.clamp(-LIMIT, LIMIT) + LIMIT)


def ratio_features(before: Tensor, after: Tensor) -> Tensor:
    """float32 (..., RATIO_FEATURES) of after / before; zeros where one is unknown or not positive.

    Args:
        before: int64 (...).
        after: int64 (...).
    """
    fit = (before > 0) & (after > 0)
    log = torch.log2(after.clamp(min=1).float()) - torch.log2(before.clamp(min=1).float())
    angle = 2 * math.pi * log[..., None] / torch.tensor(_OCTAVES)
    told = torch.cat([torch.ones_like(log)[..., None], log[..., None] / 4, angle.sin(),
                      angle.cos()], -1)  # fmt: skip
    return told * fit[..., None]


def difference(before: Tensor, after: Tensor) -> Tensor:
    """After minus before, int64 (...); unknown where one is."""
    known = (before != UNKNOWN) & (after != UNKNOWN)
    return torch.where(known, after - before, UNKNOWN)
