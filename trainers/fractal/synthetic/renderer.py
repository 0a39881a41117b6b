"""The flood renderer: the chunks of all open roots of all candidates in one forward pass.

A masked model over chunks (Ghazvininejad et al. 2019, Mask-Predict): chunks that are locked are
seen, open ones are predicted in parallel, digit by digit. Beside that it judges whether all chunks
that it sees can be right, which localisation asks.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from trainers.fractal.synthetic.blocks import Block
from trainers.fractal.synthetic.embedding import ENDS, NetworkSpec, StageEmbedding
from trainers.fractal.synthetic.rows import DIGITS, StageRows


@dataclass(frozen=True)
class Rendering:
    """What the renderer says of a batch of stages.

    Attributes:
        digits: float (rows, places, DIGITS, 10), logits.
        sound: float (rows,), the logit of "all chunks that are seen are right".
    """

    digits: Tensor
    sound: Tensor

    def operands(self, temperature: float = 1.0) -> Tensor:
        """Log-probabilities of whole operands, float (rows, places, 10 ** DIGITS)."""
        tens, ones = (self.digits / temperature).log_softmax(-1).unbind(-2)
        return (tens[..., :, None] + ones[..., None, :]).flatten(-2)


class Renderer(nn.Module):
    """Reads stages, each by itself, and predicts every root's operand."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        self.embedding = StageEmbedding(spec)
        self.blocks = nn.ModuleList(Block(spec.hidden, spec.heads) for _ in range(spec.layers))
        self.norm = nn.LayerNorm(spec.hidden)
        self.to_digits = nn.Linear(spec.hidden, DIGITS * 10)
        self.to_sound = nn.Linear(spec.hidden, 1)

    def forward(self, rows: StageRows, kept: list[Tensor] | None = None) -> Rendering:
        """Predict all places; ``kept`` gets each layer's attention weights."""
        states = self.embedding(rows)
        seen = torch.cat([rows.real.new_ones(len(rows), ENDS), rows.real], 1)[:, None, None]
        for block in self.blocks:
            states = block(states, seen, kept)
        states = self.norm(states)
        digits = self.to_digits(states[:, ENDS:]).unflatten(-1, (DIGITS, 10))
        sound = self.to_sound(states[:, ENDS - 1])[:, 0]
        return Rendering(cast(Tensor, digits), cast(Tensor, sound))
