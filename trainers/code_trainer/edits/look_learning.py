"""Learning the second look's weights: candidates that pass all tests are to come first.

A conditional logit model over the candidates that the first order puts first in a broken program:
the share of ``exp(score)`` that the right ones have is made large. The L2 penalty, on features of
unit variance, pulls to the start, and weighs the less the more programs there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from trainers.code_trainer.edits.learning import Example
from trainers.code_trainer.edits.naturalness import Naturalness
from trainers.code_trainer.edits.ranking import Ranking
from trainers.code_trainer.edits.search import RunTests
from trainers.code_trainer.edits.second_look import NAMES, START, SecondLook
from trainers.code_trainer.edits.splice import NoText

MOST_LOOKED_AT = 400
"""Candidates of one broken program."""

_PENALTY = 0.5
"""Of the weights' squared distance from the start, beside the sum of all programs' losses."""


@dataclass(frozen=True)
class Look:
    """The first candidates of a broken program.

    ``rows``: float64 (candidates, features), in the order of :data:`second_look.NAMES`;
    ``right``: bool (candidates), which of them pass all tests.
    """

    rows: NDArray[np.float64]
    right: NDArray[np.bool_]


def look(
    example: Example,
    ranking: Ranking,
    naturalness: Naturalness,
    run_tests: RunTests,
    most: int = MOST_LOOKED_AT,
) -> Look | None:
    """Look at the first candidates of a broken program; None where none of them is right.

    Args:
        example: the broken program.
        ranking: the first order, best learned on other programs.
        naturalness: best counted of other programs.
        run_tests: runs programs against all tests of this one.
        most: candidates.
    """
    second = SecondLook(naturalness)
    rows, texts = [], []
    for made in islice(ranking.ordered(example.program, example.spectrum), most):
        try:
            features = second.features(example.program, made)
        except NoText:
            continue
        rows.append([features[name] for name in NAMES])
        texts.append(made.text)
    right = np.array([outcome.passed for outcome in run_tests(texts, patience=0)], dtype=np.bool_)
    if not right.any():
        return None
    return Look(np.array(rows, dtype=np.float64), right)


def fit_second_look(naturalness: Naturalness, looks: Sequence[Look]) -> SecondLook:
    """Learn the weights; without looks they are where learning starts."""
    if not looks:
        return SecondLook(naturalness)
    scale = np.vstack([one.rows for one in looks]).std(axis=0) + 1e-9
    scaled = [Look(one.rows / scale, one.right) for one in looks]
    start = np.array([START.get(name, 0.0) for name in NAMES]) * scale
    found = minimize(_loss, start, args=(scaled, start), jac=True, method="L-BFGS-B")
    weights = (found.x / scale).tolist()
    return SecondLook(naturalness, dict(zip(NAMES, weights, strict=True)))


def _loss(
    weights: NDArray[np.float64], looks: Sequence[Look], start: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Return the mean loss with its share of the penalty, and its gradient."""
    pulled = weights - start
    penalty = _PENALTY / len(looks)
    loss, gradient = penalty * float(pulled @ pulled), 2 * penalty * pulled
    for one in looks:
        scores = one.rows @ weights
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        of_right = shares * one.right
        mass = max(float(of_right.sum()), 1e-300)
        loss -= float(np.log(mass)) / len(looks)
        gradient = gradient - one.rows.T @ (of_right / mass - shares) / len(looks)
    return loss, gradient
