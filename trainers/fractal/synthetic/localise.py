"""Which root of a wrong stage is to blame, as the renderer sees it.

Two ways, and their sum. Sensitivity leaves one root out: its chunk is hidden, and what the renderer
then thinks of the rest is its evidence. Attention takes what it looks at when it reads the whole
stage; weighting that by gradients (Chefer et al. 2021) was less often right on validation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
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
        attention: the root's share of the attention that is paid to its stage's roots.
        chances: of each operand in its place, with this root hidden.
    """

    sound: float
    gain: float
    attention: float
    chances: tuple[float, ...] = field(default=(), repr=False, compare=False)

    def blame(self, gain_weight: float, attention_weight: float) -> float:
        """All of it in one number; only its order counts."""
        share = log(max(self.attention, LEAST_SHARE))
        return self.sound + gain_weight * self.gain + attention_weight * share


def evidence(renderer: Renderer, stages: Sequence[PlacedStage]) -> list[list[RootEvidence]]:
    """For each stage with no open root, the evidence against each of its roots."""
    rows = stage_rows(stages)
    sound, gain, chances = _left_out(renderer, rows)
    attention = _attention(renderer, rows)
    told = zip(sound.tolist(), gain.tolist(), attention.tolist(), chances.tolist(), strict=True)
    return [
        [
            RootEvidence(alone, better, share, tuple(operands))
            for alone, better, share, operands in zip(*row, strict=True)
        ][: len(stage)]
        for row, (_, _, stage) in zip(told, stages, strict=True)
    ]


@torch.inference_mode()
def _left_out(renderer: Renderer, rows: StageRows) -> tuple[Tensor, Tensor, Tensor]:
    """Hide one root at a time: soundness of the rest, gain of the best chunk, chances of all.

    The first two are (rows, places), the last is (rows, places, operands).
    """
    count, places = rows.ops.shape
    hidden = torch.eye(places, dtype=torch.bool).repeat(count, 1)  # (rows * places, places)
    many = rows.select(torch.arange(count).repeat_interleave(places))
    told = renderer(many.opened(hidden & many.real))
    own = torch.arange(count * places), torch.arange(places).repeat(count)
    logs = told.operands()[own]  # (rows * places, operands)
    present = logs.gather(1, many.operands[own].clamp(max=logs.shape[1] - 1)[:, None])[:, 0]
    gain = logs.max(1).values - present
    sound = functional.logsigmoid(told.sound).view(count, places)
    return sound, gain.view(count, places), logs.exp().view(count, places, -1)


@torch.inference_mode()
def _attention(renderer: Renderer, rows: StageRows) -> Tensor:
    """Each root's share (rows, places) of what all positions looked at, in all layers and heads."""
    weights: list[Tensor] = []
    renderer(rows, weights)
    looked_at = torch.stack(weights).sum((0, 2, 3))[:, ENDS:] * rows.real
    return looked_at / looked_at.sum(1, keepdim=True)
