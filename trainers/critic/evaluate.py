"""The critic's figures on one problem set: baseline, verifier, oracle, gap closed, AUC, ECE."""

from dataclasses import dataclass

import numpy as np
import torch

from memory.records import Figure
from trainers import statistics
from trainers.critic.examples import Examples
from trainers.critic.model import FINAL, Critic
from trainers.critic.ranking import Array, oracle, picked, rates
from trainers.critic.train import fold_head, fold_of


@dataclass(frozen=True)
class Scores:
    """Examples with a critic's probability for each sample."""

    examples: Examples
    probability: Array

    @property
    def picked(self) -> Array:
        """(problems,) of 0 and 1: 1 where the sample that the critic ranks first passes."""
        return picked(self.probability, _passed(self.examples), self.examples.rows)


def score(critic: Critic, examples: Examples) -> Scores:
    """Score with the head that is used."""
    return Scores(examples, critic.score(examples.inputs).numpy().astype(float))


def score_held_out(critic: Critic, validation: Examples) -> Scores:
    """Score validation problems, each with the head that was chosen without it (see train)."""
    logits = critic.logits(validation.inputs, FINAL).clone()
    for number, problem_id in enumerate(validation.problem_ids):
        rows = torch.from_numpy(validation.rows[number])
        head = fold_head(fold_of(problem_id))
        logits[rows] = critic.logits(validation.inputs[rows], head)
    return Scores(validation, critic.probability(logits).numpy().astype(float))


def baseline_rates(examples: Examples) -> Array:
    """(problems,): each problem's pass rate, what random picking wins."""
    return rates(_passed(examples), examples.rows)


def selection_figures(examples: Examples, seed: int) -> dict[str, Figure]:
    """Measure what needs no critic: ``baseline_pass1`` and ``oracle_passN``."""
    passed = _passed(examples)
    return {
        "baseline_pass1": statistics.rate(rates(passed, examples.rows), seed=seed),
        "oracle_passN": statistics.rate(oracle(passed, examples.rows), seed=seed),
    }


def critic_figures(scores: Scores, seed: int) -> dict[str, Figure]:
    """All figures of a critic on a problem set; ``n`` counts problems, for ``ece`` samples."""
    examples = scores.examples
    passed = _passed(examples)
    base, top, chosen = baseline_rates(examples), oracle(passed, examples.rows), scores.picked
    groups = [examples.problem_ids[number] for number in examples.group.tolist()]
    return selection_figures(examples, seed) | {
        "verifier_pass1": statistics.rate(chosen, seed=seed),
        "gap_closed": statistics.gap_closed(base, chosen, top, seed=seed),
        "auc_within_problem": statistics.auc_within_problem(
            scores.probability, passed, groups, seed=seed
        ),
        "ece": statistics.ece(scores.probability, passed, groups, seed=seed),
    }


def no_critic_figures(examples: Examples, seed: int) -> dict[str, Figure]:
    """Give the same keys where there is no critic: its own figures are undefined."""
    undefined = Figure(None, None, None, len(examples.problem_ids))
    names = ("verifier_pass1", "gap_closed", "auc_within_problem", "ece")
    return selection_figures(examples, seed) | dict.fromkeys(names, undefined)


def _passed(examples: Examples) -> Array:
    return np.asarray(examples.passed.numpy(), dtype=float)
