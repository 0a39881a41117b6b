"""LearnableFourier2D: where a cell is, as learned Fourier features of its row and column."""

from math import pi

import torch
from torch import Tensor, nn

from trainers.ctm.config import CTMConfig

_FEATURES = 256
_HIDDEN = 64
_GAMMA = 0.1  # of the paper: frequencies start with variance gamma^-2


class LearnableFourier2D(nn.Module):
    """Li et al. 2021 (arXiv 2106.02795), algorithm 1, with a gated MLP as in Sakana's CTM.

    Coordinates are divided by the grid's size, not the batch's, so that a cell's position does not
    depend on what it is batched with.
    """

    size: Tensor

    def __init__(self, config: CTMConfig) -> None:
        super().__init__()
        self.register_buffer(
            "size",
            torch.tensor([config.grid_height - 1, config.grid_width - 1], dtype=torch.float32),
            persistent=False,
        )
        self.frequencies = nn.Linear(2, _FEATURES // 2, bias=False)
        nn.init.normal_(self.frequencies.weight, std=1 / _GAMMA)
        self.gate = nn.Linear(_FEATURES, 2 * _HIDDEN)
        self.out = nn.Linear(_HIDDEN, config.d_model)

    def forward(self, row: Tensor, col: Tensor) -> Tensor:
        """(B, N) rows and columns, int64, to (B, N, d_model)."""
        place = torch.stack([row, col], -1).to(self.frequencies.weight.dtype) / self.size
        with torch.autocast(place.device.type, enabled=False):  # bf16 cannot tell rows apart
            angles = pi * self.frequencies(place)
        features = torch.cat([angles.cos(), angles.sin()], -1) / _FEATURES**0.5
        hidden: Tensor = self.out(nn.functional.glu(self.gate(features), -1))
        return hidden
