"""A Transformer decoder whose self-attention is causal and can go on from what it has computed."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass
class LayerCache:
    """Keys and values of one layer, (batch, heads, positions, width of a head)."""

    keys: Tensor
    values: Tensor

    def select(self, rows: Tensor) -> "LayerCache":
        """The cache of some rows of the batch, for a beam that was reordered."""
        return LayerCache(self.keys[rows], self.values[rows])


class Attention(nn.Module):
    """Multi-head attention with its queries, keys and values in three maps."""

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(hidden, hidden)
        self.key = nn.Linear(hidden, hidden)
        self.value = nn.Linear(hidden, hidden)
        self.output = nn.Linear(hidden, hidden)

    def remember(self, states: Tensor) -> LayerCache:
        """Keys and values of (batch, positions, hidden)."""
        return LayerCache(self._split(self.key(states)), self._split(self.value(states)))

    def attend(self, states: Tensor, cache: LayerCache, mask: Tensor | None) -> Tensor:
        """What (batch, positions, hidden) find in a cache; ``mask`` True where they may look."""
        found = functional.scaled_dot_product_attention(
            self._split(self.query(states)), cache.keys, cache.values, attn_mask=mask
        )
        return cast(Tensor, self.output(found.transpose(1, 2).flatten(2)))

    def _split(self, states: Tensor) -> Tensor:
        batch, positions, hidden = states.shape
        return states.view(batch, positions, self.heads, hidden // self.heads).transpose(1, 2)


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to a memory, and a feed-forward part; each normed before."""

    def __init__(self, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.own, self.other = Attention(hidden, heads), Attention(hidden, heads)
        self.norms = nn.ModuleList([nn.LayerNorm(hidden) for _ in range(3)])
        self.feed = nn.Sequential(
            nn.Linear(hidden, 2 * hidden), nn.GELU(), nn.Linear(2 * hidden, hidden)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, states: Tensor, memory: LayerCache, visible: Tensor, past: LayerCache | None
    ) -> tuple[Tensor, LayerCache]:
        """Go one layer up.

        Args:
            states: (batch, positions, hidden) of the positions after ``past``.
            memory: keys and values of what the decoder reads.
            visible: bool (batch, 1, 1, memory positions).
            past: of the positions before; None at the start.

        Returns:
            States of the same shape, and the cache with these positions in it.
        """
        normed = self.norms[0](states)
        cache = self.own.remember(normed)
        before = 0
        if past is not None:
            before = past.keys.shape[2]
            cache = LayerCache(
                torch.cat([past.keys, cache.keys], 2), torch.cat([past.values, cache.values], 2)
            )
        length = states.shape[1]
        causal = torch.ones(length, before + length, dtype=torch.bool).tril(before)
        states = states + self.dropout(self.own.attend(normed, cache, causal.to(states.device)))
        read = self.other.attend(self.norms[1](states), memory, visible)
        states = states + self.dropout(read)
        return states + self.dropout(self.feed(self.norms[2](states))), cache
