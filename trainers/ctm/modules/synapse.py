"""SynapseUNET: attention output and neurons' states to new pre-activations (CTM, appendix C.1)."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from trainers.ctm.config import CTMConfig


class _Block(nn.Module):
    """Linear, LayerNorm, SiLU."""

    def __init__(self, wide: int, out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(wide, out)
        self.norm = nn.LayerNorm(out)

    def forward(self, values: Tensor) -> Tensor:
        return nn.functional.silu(self.norm(self.linear(values)))


class _First(nn.Module):
    """The first linear map over two inputs side by side, without laying them side by side."""

    def __init__(self, d_input: int, d_model: int, out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(d_input + d_model, out)
        self.split = d_input

    def forward(self, attended: Tensor, state: Tensor) -> Tensor:
        from_attention = self.linear.weight[:, : self.split]
        from_state = self.linear.weight[:, self.split :]
        mapped = nn.functional.linear(attended, from_attention, self.linear.bias)
        return mapped + nn.functional.linear(state, from_state)


class SynapseUNET(nn.Module):
    """A U-Net of ``depth`` widths on a straight line from d_model to the narrowest.

    Depth 1 is one gated layer. Skips are added and then normalised.
    """

    def __init__(self, config: CTMConfig) -> None:
        super().__init__()
        size, depth = config.d_model, config.synapse_depth
        self.deep = depth > 1
        if not self.deep:
            self.first = _First(config.d_input, size, 2 * size)
            self.norm = nn.LayerNorm(size)
            return
        widths = _widths(size, config.synapse_min_width, depth)
        self.first = _First(config.d_input, size, size)
        self.norm = nn.LayerNorm(size)
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(_Block(wide, narrow) for wide, narrow in pairs)
        self.up = nn.ModuleList(_Block(narrow, wide) for wide, narrow in pairs)
        self.skip = nn.ModuleList(nn.LayerNorm(wide) for wide, _ in pairs)

    def forward(self, attended: Tensor, state: Tensor) -> Tensor:
        """(B, d_input) and (B, d_model) to (B, d_model) pre-activations."""
        mapped = self.first(attended, state)
        if not self.deep:
            gated: Tensor = self.norm(nn.functional.glu(mapped, -1))
            return gated
        passed = [nn.functional.silu(self.norm(mapped))]
        for down in self.down:
            passed.append(down(passed[-1]))
        back = passed.pop()
        for up, skip in zip(reversed(self.up), reversed(self.skip), strict=True):
            back = skip(up(back) + passed.pop())
        return back


def _widths(wide: int, narrow: int, depth: int) -> Sequence[int]:
    return [int(w) for w in torch.linspace(wide, narrow, depth, dtype=torch.float64).tolist()]
