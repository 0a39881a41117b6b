"""The critic's figures on one problem set: baseline, verifier, oracle, gap closed, AUC, ECE."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from memory.records import Figure
from trainers import statistics
from trainers.critic.examples import Examples
from trainers.critic.model import Critic
from trainers.critic.ranking import oracle, picked, rates, subset_picks
from trainers.critic.train import held_out_logits

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Examples with a critic's logit and calibrated probability for each sample."""

    examples: Examples
    logits: Array
    probability: Array

    @property
    def picked(self) -> Array:
        """(problems,) in [0, 1]: does the sample that the critic ranks first pass."""
        return picked(self.logits, self.examples.outcomes, self.examples.rows)

    @property
    def subset_picks(self) -> Array:
        """(problems,) in [0, 1]: the same, averaged over the subsets of the samples."""
        return subset_picks(self.logits, self.examples.outcomes, self.examples.rows)


def score(critic: Critic, examples: Examples) -> Scores:
    """Score with the head that is used."""
    return _scores(critic, examples, critic.logits(examples.inputs))


def score_held_out(critic: Critic, validation: Examples) -> Scores:
    """Score validation problems, each with the head that was chosen without it (see train)."""
    return _scores(critic, validation, held_out_logits(critic, validation))


def _scores(critic: Critic, examples: Examples, logits: Tensor) -> Scores:
    probability = critic.probability(logits)
    return Scores(examples, logits.numpy().astype(float), probability.numpy().astype(float))


def selection_figures(examples: Examples, seed: int) -> dict[str, Figure]:
    """Measure what needs no critic: ``baseline_pass1`` and ``oracle_passN``."""
    passed, rows = examples.outcomes, examples.rows
    return {
        "baseline_pass1": statistics.rate(rates(passed, rows), seed=seed),
        "oracle_passN": statistics.rate(oracle(passed, rows), seed=seed),
    }


def critic_figures(scores: Scores, seed: int) -> dict[str, Figure]:
    """All figures of a critic on a problem set; ``n`` counts problems, for ``ece`` samples.

    ``ece`` is of the calibrated probability, ``ece_before`` of the plain logit's.
    """
    examples, passed = scores.examples, scores.examples.outcomes
    base, top = rates(passed, examples.rows), oracle(passed, examples.rows)
    groups = examples.problem_of
    plain = 1 / (1 + np.exp(-np.clip(scores.logits, -500, 500)))
    return selection_figures(examples, seed) | {
        "verifier_pass1": statistics.rate(scores.picked, seed=seed),
        "gap_closed": statistics.gap_closed(base, scores.picked, top, seed=seed),
        "auc_within_problem": statistics.auc_within_problem(
            scores.logits, passed, groups, seed=seed
        ),
        "ece_before": statistics.ece(plain, passed, groups, seed=seed),
        "ece": statistics.ece(scores.probability, passed, groups, seed=seed),
    }


def no_critic_figures(examples: Examples, seed: int) -> dict[str, Figure]:
    """Give the same keys where there is no critic: its own figures are undefined."""
    undefined = Figure(None, None, None, len(examples.problem_ids))
    names = ("verifier_pass1", "gap_closed", "auc_within_problem", "ece_before", "ece")
    return selection_figures(examples, seed) | dict.fromkeys(names, undefined)
