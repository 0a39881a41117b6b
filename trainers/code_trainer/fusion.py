"""How a factor's scores and a prior become a distribution over the names of a task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import torch
from torch import Tensor

Priors = Mapping[str, Mapping[str, float]]
"""Log probabilities by role and name."""

_SHARPNESS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_TRUST = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)


@dataclass(frozen=True)
class Fusion:
    """softmax(sharpness · cosine + trust · prior)."""

    sharpness: float = 8.0
    trust: float = 1.0

    def __call__(self, scores: Tensor, prior: Tensor) -> Tensor:
        """Log probabilities (names,) of cosines and log priors, both (names,)."""
        return (self.sharpness * scores + self.trust * prior).log_softmax(-1)


@dataclass(frozen=True)
class Case:
    """A task with its truth, to calibrate by: names to choose among, priors, the true factors.

    ``names`` and ``priors`` by role; of LOCATION, those of the true file.
    """

    issue: Tensor
    names: Mapping[str, Sequence[str]]
    truth: Mapping[str, str]
    priors: Priors = field(default_factory=dict)


@dataclass(frozen=True)
class Scored:
    """One factor of a case: cosines and log priors (names,), and the place of the true name."""

    scores: Tensor
    prior: Tensor
    truth: int


def best_fusion(cases: Sequence[Scored]) -> Fusion:
    """The fusion of the grid under which the true names are likeliest."""

    def surprise(fusion: Fusion) -> float:
        return -sum(float(fusion(case.scores, case.prior)[case.truth]) for case in cases)

    return min((Fusion(s, t) for s, t in product(_SHARPNESS, _TRUST)), key=surprise)


def prior_of(names: Sequence[str], prior: Mapping[str, float] | None) -> Tensor:
    """(names,) log priors; a name without one has the least there is; zeros without a prior."""
    if not prior:
        return torch.zeros(len(names))
    least = min(prior.values())
    return torch.tensor([prior.get(name, least) for name in names])
