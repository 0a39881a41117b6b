"""What fine-tuning minimises over the programs of one problem: right alone, and right in order."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus


@dataclass(frozen=True)
class LossWeights:
    """How much each part of the loss counts; 0 switches it off."""

    pointwise: float = 1.0
    pairwise: float = 1.0
    listwise: float = 0.0

    @property
    def ranks_only(self) -> bool:
        """True where a problem with one outcome teaches nothing."""
        return self.pointwise == 0


def problem_loss(scores: Tensor, passed: Tensor, weights: Tensor, parts: LossWeights) -> Tensor:
    """The loss of one problem, () float.

    The parts are the cross-entropy of each program's outcome, the mean over pairs of a passing and
    a failing program of -log P(the passing one outranks the other) (Burges et al. 2005), and -log
    of the softmax mass that the passing programs have among all (Cao et al. 2007). Where all have
    one outcome, the last two are 0.

    Args:
        scores: (programs,) logits.
        passed: (programs,) of 0 and 1.
        weights: (programs,) above 0, such as how often a program was sampled; a pair weighs the
            product of its two.
        parts: how much each part counts.
    """
    each = binary_cross_entropy_with_logits(scores, passed, reduction="none")
    loss = parts.pointwise * (each * weights).sum() / weights.sum()
    won = passed > 0.5
    if not won.any() or won.all():
        return loss
    shares = weights[won][:, None] * weights[~won]  # (passing, failing)
    lost = softplus(scores[~won] - scores[won][:, None])
    pairwise = (lost * shares).sum() / shares.sum()
    mass = scores + weights.log()  # a program that counts twice stands in the list twice
    listwise = torch.logsumexp(mass, 0) - torch.logsumexp(mass[won], 0)
    return loss + parts.pairwise * pairwise + parts.listwise * listwise
