"""Joining the critic with what execution tells: one logit, learned on train problems."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainers.critic.examples import Examples
from trainers.critic.model import Blend
from trainers.critic.solver import Solver
from trainers.critic.train import one_thread
from trainers.platt import calibrate

Array = NDArray[np.float64]

# By the picker that uses it; `visible` is only there where a shown test may be run. The likelihood
# is given once more beside the critic that knows it: how it counts among programs of one cluster
# is another question than how it counts among all.
BLENDS = {
    "critic_agreement": ("logit", "cluster", "log_cluster", "agreement", "logprob"),
    "critic_agreement_visible": (
        "logit", "cluster", "log_cluster", "agreement", "logprob", "visible",
    ),
    "agreement_visible": ("cluster", "log_cluster", "agreement", "visible"),
}  # fmt: skip
_OPTIONAL = "logprob"
_PENALTY = 1e-3
_PASSES = 200


def fit_blends(
    train_set: Examples,
    train_signals: Mapping[str, Array],
    validation: Examples,
    validation_signals: Mapping[str, Array],
) -> dict[str, Blend]:
    """Fit a blend for each picker whose signals are all there, and calibrate it on validation.

    Args:
        train_set: all samples of the train problems.
        train_signals: (samples,) by name; ``logit`` by heads that did not see the problem.
        validation: all samples of the validation problems.
        validation_signals: the same for them.
    """
    found = {}
    known = not np.isnan(train_signals[_OPTIONAL]).any()
    for picker, wanted in BLENDS.items():
        names = tuple(name for name in wanted if known or name != _OPTIONAL)
        told = stack(train_signals, names)
        if told is None or (seen := stack(validation_signals, names)) is None:
            continue
        plain = train_set.outcomes
        if not len(plain) or not train_set.has_both:
            continue
        with one_thread():
            solver = Solver(train_set, told, "pointwise+pairwise", balanced=False)
            head = solver.solve(_PENALTY, _PASSES)
            calibration = calibrate(head(seen), validation.passed)
        found[picker] = Blend(names, head.weight, head.offset, calibration)
    return found


def stack(signals: Mapping[str, Array], names: tuple[str, ...]) -> Tensor | None:
    """(samples, names) float32; None where a signal is unknown."""
    columns = np.stack([signals[name] for name in names], axis=1)
    return None if np.isnan(columns).any() else torch.from_numpy(columns).float()
