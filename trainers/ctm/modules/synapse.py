"""SynapseUNET: attention output and neurons' states to new pre-activations (CTM, appendix C.1)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from trainers.ctm.config import CTMConfig
from trainers.ctm.modules.linear_run import LinearRun


class Block(nn.Module):
    """Linear, LayerNorm, SiLU."""

    def __init__(self, wide: int, out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(wide, out)
        self.norm = nn.LayerNorm(out)


class SynapseUNET(nn.Module):
    """A U-Net of ``depth`` widths on a straight line from d_model to the narrowest.

    Depth 1 is one gated layer. Skips are added and then normalised. ``open`` begins a run.
    """

    def __init__(self, config: CTMConfig) -> None:
        super().__init__()
        size, depth = config.d_model, config.synapse_depth
        widths = _widths(size, config.synapse_min_width, depth) if depth > 1 else ()
        self.first = nn.Linear(config.d_input + size, size if widths else 2 * size)
        self.norm = nn.LayerNorm(size)
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(Block(wide, narrow) for wide, narrow in pairs)
        self.up = nn.ModuleList(Block(narrow, wide) for wide, narrow in pairs)
        self.skip = nn.ModuleList(nn.LayerNorm(wide) for wide, _ in pairs)

    def open(self, dtype: torch.dtype) -> "SynapseRun":
        """Begin a run whose products have type ``dtype``."""
        return SynapseRun(self, dtype)


class SynapseRun:
    """The synapses' ticks in one run."""

    def __init__(self, synapse: SynapseUNET, dtype: torch.dtype) -> None:
        self.synapse = synapse
        self.first = LinearRun(synapse.first, dtype)
        self.down = [LinearRun(cast(Block, block).linear, dtype) for block in synapse.down]
        self.up = [LinearRun(cast(Block, block).linear, dtype) for block in synapse.up]

    def __call__(self, attended: Tensor, state: Tensor) -> Tensor:
        """(B, d_input) and (B, d_model) to (B, d_model) pre-activations."""
        unet = self.synapse
        mapped = self.first(torch.cat([attended, state], -1))
        if not self.down:
            gated: Tensor = unet.norm(nn.functional.glu(mapped, -1))
            return gated
        silu = nn.functional.silu
        passed = [silu(unet.norm(mapped))]
        for linear, block in zip(self.down, unet.down, strict=True):
            passed.append(silu(cast(Block, block).norm(linear(passed[-1]))))
        back = passed.pop()
        for i in reversed(range(len(self.up))):
            risen = silu(cast(Block, unet.up[i]).norm(self.up[i](back)))
            back = unet.skip[i](risen + passed.pop())
        return back


def _widths(wide: int, narrow: int, depth: int) -> Sequence[int]:
    return [int(w) for w in torch.linspace(wide, narrow, depth, dtype=torch.float64).tolist()]
