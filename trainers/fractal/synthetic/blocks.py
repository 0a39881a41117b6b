"""The Transformer layer of both networks, which can hand out its attention for attribution."""

from math import sqrt
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    """Self-attention and a gated feed-forward part, each normed before (Shazeer 2020: SwiGLU)."""

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.feed_norm = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.inputs, self.output = nn.Linear(hidden, 3 * hidden), nn.Linear(hidden, hidden)
        self.up, self.down = nn.Linear(hidden, 4 * hidden), nn.Linear(2 * hidden, hidden)

    def forward(
        self, states: Tensor, mask: Tensor | None, kept: list[Tensor] | None = None
    ) -> Tensor:
        """Go one layer up.

        Args:
            states: float (batch, positions, hidden).
            mask: bool, broadcast to (batch, heads, positions, positions): who may look where.
            kept: gets the attention weights (batch, heads, positions, positions).
        """
        query, key, value = self._split(states)
        return self._mix(states, (query, key, value), mask, kept)

    def extend(
        self, states: Tensor, mask: Tensor | None, past: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Go one layer up with positions that come after earlier ones and may look at all of them.

        Args:
            states: float (batch, positions, hidden), the new positions.
            mask: as in ``forward``, over earlier and new positions; None: all are seen.
            past: float (2, batch, heads, earlier, width), keys and values; None at the start.

        Returns:
            The states one layer up, and keys and values of all positions.
        """
        query, key, value = self._split(states)
        if past is not None:
            key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
        return self._mix(states, (query, key, value), mask, None), torch.stack([key, value])

    def _mix(
        self,
        states: Tensor,
        attended: tuple[Tensor, Tensor, Tensor],
        mask: Tensor | None,
        kept: list[Tensor] | None,
    ) -> Tensor:
        query, key, value = attended
        scores = query @ key.transpose(-2, -1) / sqrt(query.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        weights = scores.softmax(-1)
        if kept is not None:
            kept.append(weights)
        states = states + self.output((weights @ value).transpose(1, 2).flatten(2))
        gate, up = self.up(self.feed_norm(states)).chunk(2, -1)
        return cast(Tensor, states + self.down(functional.silu(gate) * up))

    def _split(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        batch, positions, hidden = states.shape
        split = self.inputs(self.attention_norm(states))
        shape = (batch, positions, 3, self.heads, hidden // self.heads)
        query, key, value = split.view(shape).permute(2, 0, 3, 1, 4)
        return query, key, value
