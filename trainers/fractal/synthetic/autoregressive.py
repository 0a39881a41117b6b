"""A renderer of the same size that writes digit after digit: what the flood's cost is held against.

Only its cost is measured; it is not trained.
"""

from typing import cast

import torch
from torch import Tensor, nn

from trainers.fractal.synthetic.blocks import Block
from trainers.fractal.synthetic.embedding import ENDS, EndsEmbedding, NetworkSpec, NumberEmbedding
from trainers.fractal.synthetic.rows import DIGITS, PAD


class AutoregressiveRenderer(nn.Module):
    """A causal Transformer over the digits of a program's chunks, with the keys and values kept."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.ends = EndsEmbedding(spec.hidden)
        self.target = NumberEmbedding(spec.hidden)
        self.op = nn.Embedding(PAD, spec.hidden)
        self.digit = nn.Embedding(11, spec.hidden)
        self.slot = nn.Embedding(DIGITS, spec.hidden)
        self.blocks = nn.ModuleList(Block(spec.hidden, spec.heads) for _ in range(spec.layers))
        self.norm = nn.LayerNorm(spec.hidden)
        self.to_digit = nn.Linear(spec.hidden, 10)

    @torch.inference_mode()
    def render(
        self, start: Tensor, targets: Tensor, ops: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Sample the operands of programs of one length.

        Args:
            start: int64 (programs,).
            targets: int64 (programs, roots): the checkpoint that each root works towards.
            ops: int64 (programs, roots).
            generator: of the sampling.

        Returns:
            int64 (programs, roots).
        """
        digit = torch.full_like(start, 10)
        found: list[Tensor] = []
        states = self.ends(start, targets[:, -1])
        past: list[Tensor | None] = [None] * len(self.blocks)
        for root in range(ops.shape[1]):
            for slot in range(DIGITS):
                told = self.op(ops[:, root]) + self.target(targets[:, root])
                step = told + self.digit(digit) + self.slot.weight[slot]
                states = step[:, None] if found else torch.cat([states, step[:, None]], 1)
                logits = self._next(states, past)
                digit = torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]
                found.append(digit)
        digits = torch.stack(found, 1).view(len(start), -1, DIGITS)
        operands: Tensor = (digits * torch.tensor([10**i for i in reversed(range(DIGITS))])).sum(-1)
        return operands

    def _next(self, states: Tensor, past: list[Tensor | None]) -> Tensor:
        """Logits (programs, 10) of the next digit; the layers' keys and values are kept."""
        mask = None
        if past[0] is None:
            count = states.shape[1]
            mask = torch.ones(count, count, dtype=torch.bool).tril()
            mask[:ENDS, :ENDS] = True
        for layer, block in enumerate(self.blocks):
            states, past[layer] = cast(Block, block).extend(states, mask, past[layer])
        logits: Tensor = self.to_digit(self.norm(states[:, -1]))
        return logits
