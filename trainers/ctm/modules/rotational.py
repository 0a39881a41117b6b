"""Rotations by row and by column, for grids that are not square.

The reference's rotational embedding uses the width for both axes; here half of the pairs turn with
the row and half with the column (rotary embedding: Su et al. 2021, arXiv 2104.09864).
"""

import torch
from torch import Tensor, nn

from trainers.ctm.config import CTMConfig

_BASE = 100.0  # the slowest pair turns once in 2 pi * 100 cells: a grid has at most a few hundred


def angles(row: Tensor, col: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Return cosine and sine, (B, N, width / 2) float32, of each pair's angle at each cell.

    Args:
        row: (B, N) int64.
        col: (B, N) int64.
        width: a multiple of 4.
    """
    quarter = width // 4
    steps = torch.arange(quarter, device=row.device, dtype=torch.float32) / quarter
    speed = _BASE**-steps
    turned = torch.cat([row[..., None] * speed, col[..., None] * speed], -1)
    return turned.cos(), turned.sin()


def rotate(values: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (i, i + width / 2) of ``values`` (..., width) by the angles, same dtype."""
    first, second = values.chunk(2, -1)
    turned = torch.cat([first * cos - second * sin, first * sin + second * cos], -1)
    return turned.to(values.dtype)


class RotationalEmbedding2D(nn.Module):
    """A learned vector, turned by the cell's place and projected: added to the features."""

    def __init__(self, config: CTMConfig) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.randn(config.d_model))
        self.out = nn.Linear(config.d_model, config.d_model)

    def forward(self, row: Tensor, col: Tensor) -> Tensor:
        """(B, N) rows and columns, int64, to (B, N, d_model)."""
        cos, sin = angles(row, col, self.start.numel())
        dtype = self.start.dtype
        embedded: Tensor = self.out(rotate(self.start, cos.to(dtype), sin.to(dtype)))
        return embedded
