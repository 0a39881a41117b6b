"""Two critics of a known quality on simulated problems: what the gate is tested with."""

from dataclasses import dataclass

import numpy as np

from trainers.critic.ranking import subset_picks

SAMPLES = 10


@dataclass(frozen=True)
class Pair:
    """How often each critic's choice passes, a problem, averaged over subsets of the samples.

    ``better`` is how much more often the candidate's choice among all samples passes.
    """

    candidate: np.ndarray
    champion: np.ndarray
    better: float
    scores: np.ndarray  # the candidate's
    passed: np.ndarray
    rows: list[np.ndarray]


def simulate(
    random: np.random.Generator, problems: int, *, candidate: float, champion: float, alike: float
) -> Pair:
    """Scores are the label times the critic's ``candidate`` or ``champion`` signal, plus noise.

    ``alike`` is the share of the noise that both have in common: two versions of one critic make
    many of the same mistakes.
    """
    rates = random.beta(0.6, 0.5, problems)
    passed = (random.random((problems, SAMPLES)) < rates[:, None]).astype(float)
    common = random.normal(size=passed.shape)

    def scores(signal: float) -> np.ndarray:
        own = random.normal(size=passed.shape)
        return (signal * passed + np.sqrt(alike) * common + np.sqrt(1 - alike) * own).ravel()

    rows = [np.arange(SAMPLES) + i * SAMPLES for i in range(problems)]
    flat, (new, old) = passed.ravel(), (scores(candidate), scores(champion))
    return Pair(
        subset_picks(new, flat, rows),
        subset_picks(old, flat, rows),
        float((_first(new, passed) - _first(old, passed)).mean()),
        new,
        flat,
        rows,
    )


def _first(scores: np.ndarray, passed: np.ndarray) -> np.ndarray:
    best = scores.reshape(passed.shape).argmax(axis=1)
    return passed[np.arange(len(passed)), best]
