"""Reading: when a version stops thinking, leaves alone, and how sure it is; fitted on validation.

A repair is carried out where its share against leaving the program alone is at least the lowest
that leaves ``LEFT_ALONE`` of the sound programs as they are: who runs a fixer over good code loses
more by a wrong edit than by a bug that stays.

Early stop: a program is read at the second tick in a row with a certainty above a threshold, the
lowest of ``THRESHOLDS`` that costs at most ``MOST_LOST`` of the programs. Calibration:
``calibration``, of all ticks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainers.ctm import calibration
from trainers.ctm.calibration import AS_IT_IS, Maps
from trainers.ctm.data.dataset import Dataset
from trainers.ctm.data.sample import RepairSample
from trainers.ctm.evaluate import Outcomes, evaluate, ticks_of
from trainers.ctm.repair import Repairer

THRESHOLDS = (0.3, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98, 0.995)
MOST_LOST = 0.01
"""Share of validation programs that stopping early may cost."""

LEFT_ALONE = 0.95
"""Share of sound validation programs that no repair may touch; some points above what is wanted,
since of programs from packages never seen more are touched."""

_EVEN = 0.5  # as likely as to leave the program alone

STOP_SAMPLES = 300
"""Programs on which the early stop is fitted; each threshold that is tried repairs them all."""


@dataclass(frozen=True)
class Reading:
    """How a version is read. The defaults change nothing: all ticks, the plain probability.

    Attributes:
        threshold: of the certainty at which thinking stops; None: all ticks are thought.
        maps: slope and shift of the log-odds for each group of programs.
        least: the share (``Repair.share``) below which a repair is not carried out.
    """

    threshold: float | None = None
    maps: Maps = AS_IT_IS
    least: float = 0.0

    def calibrated(self, outcomes: Outcomes) -> NDArray[np.float64]:
        """(S,) how often repairs like these are right."""
        groups = calibration.group(outcomes.changed, outcomes.fails)
        return calibration.mapped(outcomes.probability, groups, self.maps)

    def to_json(self) -> dict[str, Any]:
        """As a JSON object; ``from_json`` reads it."""
        document = asdict(self)
        document["least_share"] = document.pop("least")
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Reading":
        """What ``to_json`` wrote, or JSON of it."""
        if "maps" in document:
            kept, broken, changed, mended = (tuple(one) for one in document["maps"])
        else:  # of a version that knew two groups
            kept = broken = tuple(document["kept"])
            changed = mended = tuple(document["changed"])
        maps = (kept, broken, changed, mended)
        # Earlier versions have a bound of the probability itself under "least".
        return cls(document["threshold"], maps, document.get("least_share", _EVEN))


def fit_reading(
    repairer: Repairer,
    samples: Sequence[RepairSample],
    data: Dataset,
    *,
    between: Callable[[int], None] = lambda count: None,
) -> Reading:
    """Fit caution, then the threshold of the early stop and the calibration under it.

    Args:
        repairer: with the model; its own threshold is not used.
        samples: of validation; without any nothing is changed.
        data: of which they are.
        between: see ``evaluate``.
    """
    if not samples:
        return Reading()
    bold = replace(repairer, threshold=None, least=0.0)
    found = evaluate(bold, samples, data, between=between)
    least = caution(found)
    careful = found.careful(least)
    some = list(samples[:STOP_SAMPLES])
    plain = replace(bold, least=least)
    wanted = float(careful.fixed[: len(some)].mean()) - MOST_LOST

    def enough(threshold: float) -> bool:
        early = replace(plain, threshold=threshold)
        return float(evaluate(early, some, data, between=between).fixed.mean()) >= wanted

    threshold = lowest(enough) if ticks_of(repairer.model) > 1 else None
    groups = calibration.group(careful.changed, careful.fails)
    maps = calibration.fit(careful.probability, groups, careful.fixed)
    return Reading(threshold, maps, least)


def caution(outcomes: Outcomes) -> float:
    """The lowest share of a repair that touches few enough of the sound programs.

    Args:
        outcomes: of validation programs, every repair carried out.
    """
    sound = np.array([name == "clean" for name in outcomes.bug_class])
    touched = np.sort(outcomes.share[sound & outcomes.changed])[::-1]
    may = int((1 - LEFT_ALONE) * sound.sum())
    if len(touched) <= may:
        return 0.0
    return float(np.nextafter(touched[may], 1.0))


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
