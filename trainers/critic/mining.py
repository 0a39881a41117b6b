"""Hard examples: failing programs that the champion scores highest, passing ones that it doubts."""

import numpy as np
import torch
from torch import Tensor

from trainers.critic.examples import Examples
from trainers.critic.ranking import Array


def mined_weights(data: Examples, scores: Array, *, share: float, weight: float) -> Tensor:
    """(samples,) of 1, and of ``weight`` for the hard ones of each problem with both outcomes.

    Hard are a problem's failing samples that a critic scores highest and its passing samples that
    it scores lowest: of each kind the given share, at least one. Since the losses are averaged
    within a problem, mining moves weight inside problems and between none.

    Args:
        data: the train samples.
        scores: (samples,) of the critic in use.
        share: of a problem's samples of one outcome, above 0.
        weight: what a hard sample counts against 1.
    """
    out = torch.ones(len(scores))
    passed = data.outcomes > 0.5
    for rows in data.rows:
        won, lost = rows[passed[rows]], rows[~passed[rows]]
        if len(won) and len(lost):
            for hard in (_top(lost, scores, share), _top(won, -scores, share)):
                out[torch.from_numpy(hard)] = weight
    return out


def _top(
    rows: "np.ndarray[tuple[int], np.dtype[np.int64]]", scores: Array, share: float
) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    count = max(1, round(share * len(rows)))
    return rows[np.argsort(-scores[rows], kind="stable")[:count]]
