"""gather_cells: each cell's neighbourhood as one row, with a backward that only gathers.

If m lies at offset k of n, then n lies at offset -k of m. So the gradient of a gather is a gather
with the offsets reversed; scattering with sums, PyTorch's own backward, is slow and not
deterministic on a GPU.
"""

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _GatherCells(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, around: Tensor) -> Tensor:
        ctx.save_for_backward(around)
        padded = torch.cat([features, features.new_zeros(1, features.shape[1])])
        return padded.index_select(0, around.flatten()).view(features.shape[0], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (around,) = ctx.saved_tensors
        cells, offsets = around.shape
        parts = gradient.reshape(cells * offsets, -1)
        parts = torch.cat([parts, parts.new_zeros(1, parts.shape[1])])
        reversed_offset = torch.arange(offsets - 1, -1, -1, device=around.device)
        # Row of (neighbour m, reversed offset); cells without such a neighbour read the zero row.
        rows = around * offsets + reversed_offset
        rows = rows.clamp(max=cells * offsets)
        gathered = parts.index_select(0, rows.flatten())
        return gathered.view(cells, offsets, -1).sum(1), None


def gather_cells(features: Tensor, around: Tensor) -> Tensor:
    """Lay each cell's neighbours side by side.

    Args:
        features: (cells, d).
        around: (cells, k) int64, indices of cells, or ``cells`` where there is none. Offsets are
            listed so that the reversed list has each one's opposite.

    Returns:
        (cells, k * d), zeros where there is no neighbour.
    """
    return cast(Tensor, _GatherCells.apply(features, around))  # type: ignore[no-untyped-call]
