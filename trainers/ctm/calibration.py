"""Which map makes a model's probability of a repair mean what it says: chosen by cross-validation.

Programs fall into four groups, by whether the model changed them and whether they parse: "no fix"
is less to be relied on at the same probability, and a complaint of the parser says much by itself.
A map has Platt's slope and shift of the log-odds for each group, or for some together, or changes
nothing; used is the simplest one whose log loss on programs that it was not fitted on is within a
standard error of the least.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from trainers.platt import calibrate

Map = tuple[float, float]
"""Slope and shift of log-odds."""
Maps = tuple[Map, Map, Map, Map]
"""Of programs left as they are that parse, that do not; of changed ones that did, that did not."""

AS_IT_IS: Maps = ((1.0, 0.0),) * 4
FOLDS = 5
_TOGETHER = ((), ((0, 1, 2, 3),), ((0, 1), (2, 3)), ((0,), (1, 3), (2,)), ((0,), (1,), (2,), (3,)))
_SURE = 1e-6  # probabilities nearer to 0 and 1 have no finite log-odds worth the name


def group(changed: NDArray[np.bool_], fails: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(S,) numbers of the groups: by whether an edit was made, and whether it did not parse."""
    numbers: NDArray[np.int64] = 2 * changed.astype(np.int64) + fails
    return numbers


def log_odds(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(p / (1 - p)), finite for 0 and 1 too."""
    inside = np.clip(probability, _SURE, 1 - _SURE)
    odds: NDArray[np.float64] = np.log(inside) - np.log1p(-inside)
    return odds


def mapped(
    probability: NDArray[np.float64], groups: NDArray[np.int64], maps: Maps
) -> NDArray[np.float64]:
    """(S,) probabilities of whole repairs to how often such repairs are right."""
    slope, shift = np.array(maps)[groups].T
    right: NDArray[np.float64] = 1 / (1 + np.exp(-(slope * log_odds(probability) + shift)))
    return right


def fit(
    probability: NDArray[np.float64], groups: NDArray[np.int64], fixed: NDArray[np.bool_]
) -> Maps:
    """The map for programs like these; ``AS_IT_IS`` where no other does better.

    Args:
        probability: (S,) that the model gave to its whole repairs.
        groups: (S,) of ``group``.
        fixed: (S,) whether the repair was right.
    """
    fold = np.random.default_rng(len(fixed)).permutation(len(fixed)) % FOLDS
    losses = []
    for together in _TOGETHER:
        right = np.empty(len(fixed))
        for number in range(FOLDS):
            rest, held = fold != number, fold == number
            maps = _fitted(probability[rest], groups[rest], fixed[rest], together)
            right[held] = mapped(probability[held], groups[held], maps)
        losses.append(_log_losses(right, fixed))
    return _fitted(probability, groups, fixed, _TOGETHER[_simplest(np.array(losses))])


def _fitted(
    probability: NDArray[np.float64],
    groups: NDArray[np.int64],
    fixed: NDArray[np.bool_],
    together: tuple[tuple[int, ...], ...],
) -> Maps:
    maps: list[Map] = list(AS_IT_IS)
    for numbers in together:
        rows = np.isin(groups, numbers)
        logits = torch.from_numpy(log_odds(probability[rows])).float()
        slope, shift = calibrate(logits, torch.from_numpy(fixed[rows]).float()).tolist()
        for number in numbers:
            maps[number] = (slope, shift)
    return (maps[0], maps[1], maps[2], maps[3])


def _log_losses(right: NDArray[np.float64], fixed: NDArray[np.bool_]) -> NDArray[np.float64]:
    inside = np.clip(right, _SURE, 1 - _SURE)
    losses: NDArray[np.float64] = -np.log(np.where(fixed, inside, 1 - inside))
    return losses


def _simplest(losses: NDArray[np.float64]) -> int:
    """The first map whose loss is within a paired standard error of the best one's.

    Args:
        losses: (maps, S), the simplest map first.
    """
    count = losses.shape[1]
    if count < 2:
        return 0
    more = losses - losses[losses.mean(1).argmin()]
    error = more.std(1, ddof=1) / np.sqrt(count)
    return int(np.argmax(more.mean(1) <= error))
