"""Attention of one query a sample and tick over cells whose keys and values many ticks share.

Keys and values are projected once for a run, or once for each rewriting of the workspace. Their
gradients are sums over ticks; the tape adds the ticks' parts in one product, not one by one.
"""

from math import sqrt
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from trainers.ctm.config import CTMConfig
from trainers.ctm.modules.linear_run import LinearRun
from trainers.ctm.modules.precision import full_precision, product_dtype

HIDDEN = -1e30  # score of a masked cell: its weight is 0, and products with it are no NaN


class AttentionTape:
    """Keys and values, and what the ticks that read them leave for backward.

    Args:
        keys: (B, heads, N, d), of the products' type.
        values: the same.
        valid: (B, N) bool.
    """

    def __init__(self, keys: Tensor, values: Tensor, valid: Tensor) -> None:
        self.keys, self.values = keys, values
        self.hidden = ~valid[:, None, None, :]
        self.parts: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        self.tick = 0

    def read(self, query: Tensor) -> tuple[Tensor, Tensor]:
        """Attend with (B, heads, 1, d) queries.

        Returns:
            (B, heads, 1, d) and the weights (B, heads, 1, N), without gradient.
        """
        tick, self.tick = self.tick, self.tick + 1
        shared = (self.keys, self.values) if tick == 0 else (None, None)
        found = _Read.apply(query, self, tick, *shared)  # type: ignore[no-untyped-call]
        return cast("tuple[Tensor, Tensor]", found)


class _Read(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, tape: AttentionTape, tick: int, *_shared: Tensor
    ) -> tuple[Tensor, Tensor]:
        keys, values = tape.keys.detach(), tape.values.detach()
        with full_precision(query):
            scores = (query @ keys.transpose(2, 3)) * (1 / sqrt(query.shape[-1]))
            weights = scores.masked_fill_(tape.hidden, HIDDEN).softmax(-1)
            attended = weights @ values
        ctx.save_for_backward(query, weights, keys, values)
        ctx.parts, ctx.tick = tape.parts, tick
        ctx.mark_non_differentiable(weights)
        return attended, weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _weights: Tensor) -> tuple[Any, ...]:
        query, weights, keys, values = ctx.saved_tensors
        to_weights = gradient @ values.transpose(2, 3)
        scale = 1 / sqrt(query.shape[-1])
        to_scores = torch.ops.aten._softmax_backward_data(to_weights, weights, -1, weights.dtype)
        to_scores = to_scores * scale
        ctx.parts.append((query, to_scores, gradient, weights))
        shared: tuple[Any, Any] = (None, None)
        if ctx.tick == 0:  # the first tick to read runs last
            queries, scores, gradients, read = (
                torch.cat(part, 2) for part in zip(*ctx.parts, strict=True)
            )
            ctx.parts.clear()
            shared = (scores.transpose(2, 3) @ queries, read.transpose(2, 3) @ gradients)
        return to_scores @ keys, None, None, *shared


class MultiHeadAttention(nn.Module):
    """Query from the action's synchronisation; keys and values from the cells."""

    def __init__(self, config: CTMConfig, pairs: int) -> None:
        super().__init__()
        self.heads = config.heads
        self.query = nn.Linear(pairs, config.d_input)
        self.cells = nn.Linear(config.d_model, config.d_input)
        self.norm = nn.LayerNorm(config.d_input)
        self.keys_values = nn.Linear(config.d_input, 2 * config.d_input)
        self.out = nn.Linear(config.d_input, config.d_input)

    def project(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, d_model) cells to keys and values, each (B, heads, N, d)."""
        projected = self.keys_values(self.norm(self.cells(features)))
        split = projected.to(product_dtype(features)).view(*features.shape[:2], 2, self.heads, -1)
        keys, values = split.permute(2, 0, 3, 1, 4).contiguous().unbind(0)
        return keys, values

    def open(self, dtype: torch.dtype) -> "AttentionRun":
        """Begin a run whose products have type ``dtype``."""
        return AttentionRun(self, dtype)


class AttentionRun:
    """The attention's ticks in one run."""

    def __init__(self, attention: MultiHeadAttention, dtype: torch.dtype) -> None:
        self.heads = attention.heads
        self.query = LinearRun(attention.query, dtype)
        self.out = LinearRun(attention.out, dtype)

    def attend(self, query: Tensor, tape: AttentionTape) -> tuple[Tensor, Tensor]:
        """(B, d_input) queries to (B, d_input), and (B, heads, N) weights without gradient."""
        heads = query.view(len(query), self.heads, 1, -1).to(tape.keys.dtype)
        attended, weights = tape.read(heads)
        return self.out(attended.flatten(1)), weights.squeeze(2)
