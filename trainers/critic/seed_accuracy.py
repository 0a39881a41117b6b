"""The seed's figure: pass/fail accuracy where samples of one problem lie on both sides of a split.

It is shown once beside ours, split by problem, so that the difference is seen; nothing is chosen by
it.
"""

import numpy as np

from memory.records import Figure
from trainers import statistics
from trainers.config import CriticConfig
from trainers.critic.evaluate import Scores, score
from trainers.critic.examples import Examples
from trainers.critic.model import CriticSpec
from trainers.critic.train import fit

_HELD_BACK = 0.2


def accuracy_figure(scores: Scores, seed: int) -> Figure:
    """Pass/fail accuracy at P(pass) = 0.5 with an interval over problems; ``n`` counts problems."""
    right = (scores.probability >= 0.5) == (scores.examples.outcomes > 0.5)
    sizes = np.array([len(rows) for rows in scores.examples.rows], dtype=float)
    sums = np.array([float(right[rows].sum()) for rows in scores.examples.rows])
    return statistics.ratio_of_means(sums, sizes, seed=seed)


def accuracy_by_sample(
    samples: Examples, spec: CriticSpec, config: CriticConfig, seed: int
) -> Figure:
    """Train on four fifths of the samples, whatever their problem, and measure on the last fifth.

    Args:
        samples: all samples of train and validation problems.
        spec: of the critic.
        config: its training.
        seed: of the split.
    """
    held = np.random.default_rng(seed).random(len(samples.passed)) < _HELD_BACK
    inside, outside = samples.take(np.flatnonzero(~held)), samples.take(np.flatnonzero(held))
    if not inside.has_both or not len(outside.passed):
        return Figure(None, None, None, 0)
    return accuracy_figure(score(fit(inside, spec, config), outside), seed)
