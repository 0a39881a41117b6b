"""Attention and gated layers over packed cells, for the models that the CTM is compared with."""

from math import sqrt

import torch
from torch import Tensor, nn

from trainers.ctm.modules.attention import HIDDEN
from trainers.ctm.modules.rotational import rotate

Angles = tuple[Tensor, Tensor]

_FUSED = 400
"""Cells above which a CPU's fused kernel is the faster one: it took 4.2 times as long at 80
cells, 1.8 times at 200 and 0.71 at 500 (forward and backward, bf16, one core with AVX-512)."""


class GridAttention(nn.Module):
    """Self-attention over a sample's cells; queries and keys turn with row and column."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inputs = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, cells: Tensor, valid: Tensor, turned: Angles) -> Tensor:
        """Attend.

        Args:
            cells: (B, N, width).
            valid: (B, N) bool.
            turned: of ``rotational.angles`` for the width of one head.
        """
        split = self.inputs(cells).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        cos, sin = (part[:, None].to(split.dtype) for part in turned)
        query, key, value = rotate(split[0], cos, sin), rotate(split[1], cos, sin), split[2]
        shown = valid[:, None, None, :]
        if query.is_cuda or cells.shape[1] > _FUSED:
            read = nn.functional.scaled_dot_product_attention(query, key, value, shown)
        else:
            scores = query / sqrt(query.shape[-1]) @ key.transpose(2, 3)
            scores = scores.masked_fill_(~shown, HIDDEN)
            read = torch.softmax(scores, -1, dtype=scores.dtype).to(value.dtype) @ value
        attended: Tensor = self.out(read.transpose(1, 2).flatten(2))
        return attended


class GatedLayer(nn.Module):
    """SwiGLU: out(silu(gate(x)) * up(x)) (Shazeer 2020)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.inputs = nn.Linear(width, 2 * hidden, bias=False)
        self.out = nn.Linear(hidden, width, bias=False)

    def forward(self, cells: Tensor) -> Tensor:
        """(..., width) to the same shape."""
        gate, up = self.inputs(cells).chunk(2, -1)
        changed: Tensor = self.out(nn.functional.silu(gate) * up)
        return changed


class PostNormLayer(nn.Module):
    """norm(x + attention(x)), norm(x + gated(x)): TRM's layer; the norms have no weights."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attention = GridAttention(width, heads)
        self.gated = GatedLayer(width, hidden)

    def forward(self, cells: Tensor, valid: Tensor, turned: Angles) -> Tensor:
        """(B, N, width) to the same shape."""
        size = cells.shape[-1:]
        cells = nn.functional.rms_norm(cells + self.attention(cells, valid, turned), size)
        return nn.functional.rms_norm(cells + self.gated(cells), size)


class PreNormLayer(nn.Module):
    """x + attention(norm(x)), x + W2 gelu(W1 norm(x)): a plain encoder's layer."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = GridAttention(width, heads)
        self.forward_norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, hidden)
        self.out = nn.Linear(hidden, width)

    def forward(self, cells: Tensor, valid: Tensor, turned: Angles) -> Tensor:
        """(B, N, width) to the same shape."""
        cells = cells + self.attention(self.attention_norm(cells), valid, turned)
        inner = nn.functional.gelu(self.inner(self.forward_norm(cells)))
        changed: Tensor = cells + self.out(inner)
        return changed
