"""Measures a model as it is read: all ticks and stopped early, with and without calibration."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from memory.records import Figure
from trainers.ctm.data.dataset import Dataset
from trainers.ctm.data.sample import RepairSample
from trainers.ctm.evaluate import Outcomes, evaluate
from trainers.ctm.figures import early_figures, figures, nested
from trainers.ctm.reading import Reading
from trainers.ctm.repair import Repairer
from trainers.platt import reliability


@dataclass(frozen=True)
class Measured:
    """What became of programs.

    Attributes:
        outcomes: with all ticks.
        figures: by name; those of early stopping too, where the reading has a threshold.
        document: the same as the benchmark prints them, with the curve ``reliability``.
    """

    outcomes: Outcomes
    figures: dict[str, Figure]
    document: dict[str, Any]


def measure(
    repairer: Repairer,
    reading: Reading,
    samples: Sequence[RepairSample],
    data: Dataset,
    *,
    tick_samples: int = 0,
    seed: int = 0,
    between: Callable[[int], None] = lambda count: None,
) -> Measured:
    """Repair the programs of samples with all ticks and, where there is a threshold, with it.

    Args:
        repairer: the model; its own threshold and caution are not used.
        reading: how it is read.
        samples: with the edits that are right.
        data: of which they are.
        tick_samples: see ``evaluate``.
        seed: of the intervals.
        between: see ``evaluate``.
    """
    plain = replace(repairer, threshold=None, least=reading.least)
    outcomes = evaluate(plain, samples, data, tick_samples=tick_samples, between=between)
    right = reading.calibrated(outcomes)
    found = figures(outcomes, right, seed=seed)
    if reading.threshold is not None:
        stopped = replace(plain, threshold=reading.threshold)
        found |= early_figures(
            outcomes, evaluate(stopped, samples, data, between=between), seed=seed
        )
    document = nested(found)
    document["reliability"] = reliability(right, outcomes.fixed.astype(float))
    document["reading"] = reading.to_json()
    return Measured(outcomes, found, document)
