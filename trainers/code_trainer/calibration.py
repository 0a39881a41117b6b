"""From a ranking's share of belief to a chance that holds: Platt's line on the log-odds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

Floats = NDArray[np.float64]

_EDGE = 1e-6


@dataclass(frozen=True)
class Platt:
    """chance = sigmoid(slope * log-odds of the share + offset). Platt (1999)."""

    slope: float
    offset: float

    def probability(self, log_shares: Floats) -> Floats:
        """(n,) chances from (n,) logarithms of shares."""
        return np.asarray(expit(self.slope * log_odds(log_shares) + self.offset))


def log_odds(log_shares: Floats) -> Floats:
    """Log-odds from logarithms of shares, kept finite."""
    shares = np.clip(np.exp(log_shares), _EDGE, 1 - _EDGE)
    return np.asarray(np.log(shares) - np.log1p(-shares))


def fit_platt(log_shares: Floats, gold: NDArray[np.bool_]) -> Platt:
    """The line of least log loss over shares that come from tasks unseen in training.

    A weak pull to the line that leaves shares as they are keeps few, separable ones finite.
    """
    odds, truth = log_odds(log_shares), gold.astype(np.float64)

    def loss(line: Floats) -> float:
        logit = line[0] * odds + line[1]
        pull = ((line[0] - 1) ** 2 + line[1] ** 2) / len(truth)
        return float(np.mean(np.logaddexp(0, logit) - truth * logit) + pull)

    found = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead")
    return Platt(float(found.x[0]), float(found.x[1]))
