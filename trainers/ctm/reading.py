"""Reading: when a version stops thinking, and what its probabilities mean; fitted on validation.

Early stop: a program is read at the second tick in a row with a certainty above a threshold, the
lowest of ``THRESHOLDS`` that costs at most ``MOST_LOST`` of the programs. Calibration: Platt's, on
the log-odds of the probability that the model gives to its whole repair.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trainers.ctm.data.dataset import Dataset
from trainers.ctm.data.sample import RepairSample
from trainers.ctm.evaluate import Outcomes, evaluate, ticks_of
from trainers.ctm.repair import Repairer
from trainers.platt import calibrate

THRESHOLDS = (0.3, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98, 0.995)
MOST_LOST = 0.01
"""Share of validation programs that stopping early may cost."""

_SURE = 1e-6  # probabilities nearer to 0 and 1 have no finite log-odds worth the name


@dataclass(frozen=True)
class Reading:
    """How a version is read. The defaults change nothing: all ticks, the plain probability.

    Attributes:
        threshold: of the certainty at which thinking stops; None: all ticks are thought.
        slope: of the log-odds.
        shift: of the log-odds.
    """

    threshold: float | None = None
    slope: float = 1.0
    shift: float = 0.0

    def calibrated(self, probability: NDArray[np.float64]) -> NDArray[np.float64]:
        """(S,) probabilities of whole repairs to how often such repairs are right."""
        odds = self.slope * log_odds(probability) + self.shift
        right: NDArray[np.float64] = 1 / (1 + np.exp(-odds))
        return right

    def to_json(self) -> dict[str, Any]:
        """As a JSON object; ``Reading(**document)`` reads it."""
        return asdict(self)


def log_odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(p / (1 - p)), finite for 0 and 1 too."""
    inside = np.clip(probability, _SURE, 1 - _SURE)
    odds: NDArray[np.float64] = np.log(inside) - np.log1p(-inside)
    return odds


def fit_reading(
    repairer: Repairer,
    samples: Sequence[RepairSample],
    data: Dataset,
    *,
    between: Callable[[int], None] = lambda count: None,
) -> Reading:
    """Fit threshold and calibration.

    Args:
        repairer: with the model; its own threshold is not used.
        samples: of validation; without any nothing is changed.
        data: of which they are.
        between: see ``evaluate``.
    """
    if not samples:
        return Reading()
    plain = replace(repairer, threshold=None)

    def measured(threshold: float | None) -> Outcomes:
        return evaluate(replace(plain, threshold=threshold), samples, data, between=between)

    whole = measured(None)
    logits = torch.from_numpy(log_odds(whole.probability)).float()
    slope, shift = calibrate(logits, torch.from_numpy(whole.fixed).float()).tolist()
    threshold = None
    if ticks_of(repairer.model) > 1:
        wanted = float(whole.fixed.mean()) - MOST_LOST
        threshold = lowest(lambda value: float(measured(value).fixed.mean()) >= wanted)
    return Reading(threshold, slope, shift)


def lowest(enough: Callable[[float], bool]) -> float | None:
    """The lowest threshold that is enough, halving the list each time; None where none was."""
    low, high = 0, len(THRESHOLDS)
    while low < high:
        middle = (low + high) // 2
        if enough(THRESHOLDS[middle]):
            high = middle
        else:
            low = middle + 1
    return THRESHOLDS[high] if high < len(THRESHOLDS) else None
