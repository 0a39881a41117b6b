"""Which root of a wrong stage is to blame, as the renderer sees it.

Two ways, and their sum. Sensitivity leaves one root out: its chunk is hidden, and what the renderer
then thinks of the rest is its evidence. Attention takes what the renderer looked at when it judged
the stage unsound, weighted by the gradient (Chefer et al. 2021, "Transformer interpretability
beyond attention visualization", without the relevance of other layers).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor
from torch.nn import functional

from trainers.fractal.synthetic.embedding import ENDS
from trainers.fractal.synthetic.programs import Stage
from trainers.fractal.synthetic.renderer import Renderer
from trainers.fractal.synthetic.rows import StageRows, stage_rows

PlacedStage = tuple[int, int, Stage]  # where it starts, where it is to end, its roots
LEAST_SHARE = 1e-4  # of the attention, so that its logarithm is finite


@dataclass(frozen=True)
class RootEvidence:
    """What speaks against a root.

    Attributes:
        sound: log-probability that all other chunks are right, with this one hidden.
        gain: by how much the likeliest chunk in its place is likelier than the present one, nats.
        attention: the root's share of the attention that its stage was judged unsound by.
    """

    sound: float
    gain: float
    attention: float

    def blame(self, gain_weight: float, attention_weight: float) -> float:
        """All of it in one number; only its order counts."""
        share = log(max(self.attention, LEAST_SHARE))
        return self.sound + gain_weight * self.gain + attention_weight * share


def evidence(renderer: Renderer, stages: Sequence[PlacedStage]) -> list[list[RootEvidence]]:
    """For each stage with no open root, the evidence against each of its roots."""
    rows = stage_rows(stages)
    sound, gain = _left_out(renderer, rows)
    attention = _attention(renderer, rows)
    return [
        [
            RootEvidence(*numbers)
            for numbers in zip(
                sound[row, : len(stage)].tolist(),
                gain[row, : len(stage)].tolist(),
                attention[row, : len(stage)].tolist(),
                strict=True,
            )
        ]
        for row, (_, _, stage) in enumerate(stages)
    ]


@torch.inference_mode()
def _left_out(renderer: Renderer, rows: StageRows) -> tuple[Tensor, Tensor]:
    """Soundness of the rest and gain of the best chunk, (rows, places): one is hidden at a time."""
    count, places = rows.ops.shape
    hidden = torch.eye(places, dtype=torch.bool).repeat(count, 1)  # (rows * places, places)
    many = rows.select(torch.arange(count).repeat_interleave(places))
    told = renderer(many.opened(hidden & many.real))
    own = torch.arange(count * places), torch.arange(places).repeat(count)
    logs = told.operands()[own]  # (rows * places, operands)
    present = logs.gather(1, many.operands[own].clamp(max=logs.shape[1] - 1)[:, None])[:, 0]
    gain = logs.max(1).values - present
    return functional.logsigmoid(told.sound).view(count, places), gain.view(count, places)


def _attention(renderer: Renderer, rows: StageRows) -> Tensor:
    """Each root's share (rows, places) of the attention times its gradient towards "unsound"."""
    weights: list[Tensor] = []
    told = renderer(rows, weights)
    gradients = torch.autograd.grad(-told.sound.sum(), weights)
    shares = torch.zeros(rows.ops.shape)
    for weight, gradient in zip(weights, gradients, strict=True):
        shares += (weight * gradient).clamp(min=0).detach().sum((1, 2))[:, ENDS:]
    shares = shares * rows.real
    return shares / shares.sum(1, keepdim=True).clamp(min=1e-12)
