"""Calibration: a model's logits to probabilities that mean what they say, and how well they do."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from trainers import statistics

_LIMIT = 5.0  # of the slope's logarithm
BINS = 10


def calibrate(logits: Tensor, passed: Tensor) -> Tensor:
    """(slope, shift) that make sigmoid(slope * logit + shift) the most likely P(pass).

    Temperature scaling (Guo et al. 2017; the slope is one over the temperature) with a shift, as
    Platt 1999 has it, and his smoothed targets. The slope stays positive: an order is kept.
    """
    positive = float(passed.sum())
    negative = len(passed) - positive
    if not positive or not negative:
        return torch.tensor([1.0, 0.0])
    high, low = (positive + 1) / (positive + 2), 1 / (negative + 2)
    target = torch.where(passed > 0.5, high, low)
    log_slope, shift = torch.zeros((), requires_grad=True), torch.zeros((), requires_grad=True)
    optimiser = torch.optim.LBFGS([log_slope, shift], max_iter=100, line_search_fn="strong_wolfe")
    fixed = logits.detach()

    def closure() -> Tensor:
        optimiser.zero_grad()
        scaled = log_slope.clamp(-_LIMIT, _LIMIT).exp() * fixed + shift
        loss = binary_cross_entropy_with_logits(scaled, target)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return torch.stack([log_slope.detach().clamp(-_LIMIT, _LIMIT).exp(), shift.detach()])


def reliability(
    probability: NDArray[np.float64], passed: NDArray[np.float64]
) -> list[dict[str, Any]]:
    """Compare, for tenths of the samples in order of P(pass), what was said with what was seen.

    Returns:
        For each bin ``said`` (the mean probability), ``seen`` (the pass rate, Wilson's interval)
        and how many samples it has.
    """
    if not len(passed):
        return []
    edges = np.unique(np.quantile(probability, np.arange(1, BINS) / BINS))
    which = np.searchsorted(edges, probability, side="right")
    curve = []
    for number in np.unique(which):
        inside = which == number
        seen = statistics.wilson(int(passed[inside].sum()), int(inside.sum()))
        curve.append({"said": float(probability[inside].mean()), "seen": seen.to_json()})
    return curve
