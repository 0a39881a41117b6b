"""Learning the weights of the priors: the true edit is to come before all others of its program.

A conditional logit model: among a program's candidates the true one's share of ``exp(score)`` is
made large. The others are those that the present weights put first, so the order is trained where
it is wrong; after each round they are drawn anew. The L2 penalty pulls to the start.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from trainers.code_trainer.edits.choice import Features
from trainers.code_trainer.edits.instantiate import Candidate
from trainers.code_trainer.edits.library import PatternLibrary
from trainers.code_trainer.edits.priors import Evidence, Priors
from trainers.code_trainer.edits.program import Program
from trainers.code_trainer.edits.ranking import Ranking
from trainers.code_trainer.edits.spectrum import Spectrum
from trainers.code_trainer.edits.tree import Path

MOST_ON_PATH = 1500
"""Candidates at the place of the true edit among which it is looked for."""


@dataclass(frozen=True)
class Example:
    """A broken program, the normal form of the right one, and where they differ.

    ``paths`` lead to the edited nodes; ``spectrum`` is None where no tests were run.
    """

    program: Program
    wanted: str
    paths: tuple[Path, ...]
    spectrum: Spectrum | None = None


@dataclass(frozen=True)
class Settings:
    """How the weights are fitted: ``others`` of each example come from the top, ``sampled`` ones
    from anywhere, standing for all the rest.
    """

    rounds: int = 2
    others: int = 100
    sampled: int = 300
    penalty: float = 0.01
    iterations: int = 100
    seed: int = 0


@dataclass
class _Set:
    """One example's candidates: features of the true one first, then of others.

    ``stands``: the logarithm of how many candidates each stands for.
    """

    example: Example
    rows: list[Features]
    stands: list[float]
    forms: set[int]


def fit(
    examples: Iterable[Example],
    library: PatternLibrary,
    priors: Priors | None = None,
    *,
    settings: Settings | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Priors:
    """Learn the weights from examples; a fix that no pattern of the library makes teaches nothing.

    Args:
        examples: of train tasks only, and not of those that the library's patterns are from: a
            pattern that was mined from an example's own fix looks better than it is.
        library: the patterns.
        priors: where to start.
        settings: of the fit.
        say: is told how it goes.
    """
    settings = settings or Settings()
    priors = priors or Priors()
    start = dict(priors.weights)
    ranking = Ranking(library, priors)
    random = Random(settings.seed)
    sets = [found for e in examples if (found := _true(e, ranking)) is not None]
    for item in sets:
        _sample(item, ranking, settings.sampled, random)
    say(f"{len(sets)} examples can be reached")
    for number in range(settings.rounds):
        ranks = [_draw(item, Ranking(library, priors), settings.others) for item in sets]
        within = [rank for rank in ranks if rank is not None]
        say(
            f"round {number}: the true edit is among the first {settings.others} in "
            f"{len(within)} of {len(sets)}, median place {np.median(within or [0]):.0f}"
        )
        priors = Priors(_solve(sets, start, priors.weights, settings))
    return priors


def _true(example: Example, ranking: Ranking) -> _Set | None:
    """Return the example with the features of its true candidate, None where there is none."""
    places = {site.path: site for path in example.paths for site in example.program.sites_at(path)}
    sites = [site for site in example.program.sites if site.path in places]
    found = ranking.ordered(example.program, example.spectrum, sites=sites)
    for made in islice(found, MOST_ON_PATH):
        if made.form == example.wanted:
            features = _evidence(example, ranking).whole(made.cell, made.fillings)
            return _Set(example, [features], [0.0], {hash(made.form)})
    return None


def _evidence(example: Example, ranking: Ranking) -> Evidence:
    return Evidence(ranking.library, example.program, example.spectrum)


def _draw(item: _Set, ranking: Ranking, count: int) -> int | None:
    """Add the candidates that now come first; the true one's place among them, None if behind."""
    evidence, place = _evidence(item.example, ranking), None
    ordered: Iterator[Candidate] = ranking.ordered(item.example.program, item.example.spectrum)
    for number, made in enumerate(islice(ordered, count)):
        key = hash(made.form)
        if made.form == item.example.wanted:
            place = number
        elif key not in item.forms:
            item.forms.add(key)
            item.rows.append(evidence.whole(made.cell, made.fillings))
            item.stands.append(0.0)
    return place


def _sample(item: _Set, ranking: Ranking, count: int, random: Random) -> None:
    """Add candidates from anywhere, each standing for many."""
    evidence, example = _evidence(item.example, ranking), item.example
    for stands, cell, fillings in ranking.sampled(example.program, example.spectrum, count, random):
        item.rows.append(evidence.whole(cell, fillings))
        item.stands.append(stands)


def _solve(
    sets: Sequence[_Set], start: dict[str, float], weights: dict[str, float], settings: Settings
) -> dict[str, float]:
    """Minimise the mean negative log-likelihood of the true candidates, and the penalty."""
    sets = [item for item in sets if len(item.rows) > 1]
    names = sorted({name for item in sets for row in item.rows for name in row} | set(start))
    origin = np.array([start.get(name, 0.0) for name in names])
    first = np.array([weights.get(name, 0.0) for name in names])
    if not sets:
        return dict(start)
    matrix = _matrix(sets, {name: index for index, name in enumerate(names)})
    stands = np.concatenate([np.array(item.stands) for item in sets])
    lengths = np.array([len(item.rows) for item in sets])
    begins = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    true = np.asarray(matrix[begins].sum(axis=0)).ravel()

    def loss(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scores = matrix @ x + stands
        top = np.maximum.reduceat(scores, begins)
        shares = np.exp(scores - np.repeat(top, lengths))
        totals = np.add.reduceat(shares, begins)
        value = float(np.sum(top + np.log(totals) - scores[begins]))
        slope = matrix.T @ (shares / np.repeat(totals, lengths)) - true
        gap = x - origin
        penalty = settings.penalty
        return (
            value / len(sets) + penalty * float(gap @ gap) / 2,
            slope / len(sets) + penalty * gap,
        )

    done = minimize(
        loss, first, jac=True, method="L-BFGS-B", options={"maxiter": settings.iterations}
    )
    return {
        name: round(float(value), 5)
        for name, value in zip(names, done.x, strict=True)
        if abs(value) > NEGLIGIBLE
    }


NEGLIGIBLE = 1e-4
"""Weights below it are left out."""


def _matrix(sets: Sequence[_Set], column: dict[str, int]) -> csr_matrix:
    """Return the features of all rows, one below the other."""
    values, columns, ends = list[float](), list[int](), [0]
    for item in sets:
        for row in item.rows:
            values += row.values()
            columns += (column[name] for name in row)
            ends.append(len(values))
    return csr_matrix((values, columns, ends), shape=(len(ends) - 1, len(column)))
