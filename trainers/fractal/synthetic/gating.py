"""The gate of the synthetic model: whose loop solves validation tasks with fewer tokens."""

import hashlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trainers.fractal.arms import FirstArm
from trainers.fractal.synthetic.competitors import budget_of, repair
from trainers.fractal.synthetic.data import examples
from trainers.fractal.synthetic.domain import SyntheticDomain
from trainers.fractal.synthetic.model import SyntheticModel, untrained
from trainers.gate import Decision, against_champion
from trainers.synthetic_settings import SyntheticConfig

Array = NDArray[np.float64]

# Seed of the gate's tasks: every look is at the same ones, and is counted.
_TASKS = 4


def problem_set(config: SyntheticConfig) -> str:
    """Which validation tasks a gate looks at, as its looks are counted by."""
    difficulty = hashlib.sha256(config.difficulty.model_dump_json().encode()).hexdigest()
    return f"synthetic/{config.validation_tasks}/{difficulty[:8]}"


def saved_shares(model: SyntheticModel, config: SyntheticConfig, seed: int) -> Array:
    """(tasks,) in [0, 1]: the share of a validation task's budget that is left once it is solved.

    0 where it is not solved. The arms are the domain's defaults, so that a model's figure does not
    depend on what was learned of arms.
    """
    domain = SyntheticDomain(model, config)
    shares = []
    tasks = examples(config.difficulty, "validation", config.validation_tasks, _TASKS)
    for number, example in enumerate(tasks):
        rng = np.random.default_rng([seed, number])
        outcome = repair(domain, config, example.task, FirstArm(), rng)
        left = 1 - outcome.tokens / budget_of(config, example.task).tokens
        shares.append(max(0.0, left) if outcome.passed else 0.0)
    return np.array(shares)


def decide(
    candidate: Array,
    champion: SyntheticModel | None,
    config: SyntheticConfig,
    *,
    looks: int,
    seed: int,
) -> Decision:
    """Whether a candidate takes the champion's place.

    Where there is no champion that fits the settings, it has to be better than random weights.

    Args:
        candidate: its :func:`saved_shares`.
        champion: the model in use.
        config: of the gate.
        looks: which look at these tasks this is, from 1.
        seed: that of the candidate's loops; the champion's are drawn alike.
    """
    if champion is not None and champion.fits(config.network, config.difficulty):
        rival, name = champion, "the champion"
    else:
        rival, name = untrained(config.network, config.difficulty, seed), "random weights"
    decision = against_champion(
        candidate, saved_shares(rival, config, seed), alpha=config.alpha, looks=looks, seed=seed
    )
    reason = decision.reason.replace(decision.rival, name)
    return replace(decision, rival=name, reason=reason)
