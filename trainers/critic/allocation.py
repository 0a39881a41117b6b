"""Where new samples teach most: a round's budget shared out over the train problems.

A critic learns to rank from pairs of a passing and a failing sample of one problem, and a new
sample of a problem with pass rate p makes such pairs in proportion to p (1 - p). So a problem's
share is the expectation of p (1 - p) under what its outcomes so far say of p (Jeffreys' prior); a
problem that was always solved gets half of that, since its failures are the rarer find and its
passes teach nothing new. No problem gets more than four times the average, none more than it has
room for.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Outcome = tuple[int, int]  # samples, passes

MOST_AT_ONCE = 4
_PRIOR = 0.5
_SOLVED = 0.5


def uniform_shares(outcomes: Sequence[Outcome]) -> Array:
    """(problems,): the same for each."""
    return np.ones(len(outcomes))


def informative_shares(outcomes: Sequence[Outcome]) -> Array:
    """(problems,): in proportion to what a new sample is expected to teach."""
    counts, passes = np.array(outcomes, dtype=float).reshape(-1, 2).T
    a, b = passes + _PRIOR, counts - passes + _PRIOR
    expected = a * b / ((a + b) * (a + b + 1))
    solved = (counts > 0) & (passes == counts)
    return np.where(solved, _SOLVED * expected, expected)


def allocate(shares: Array, budget: int, *, room: Sequence[int], most: int) -> list[int]:
    """Share out ``budget`` whole samples in proportion, within the bounds; the same every time.

    Args:
        shares: (problems,) above 0.
        budget: in all; what the bounds leave no place for is not given out.
        room: how many each problem may still get.
        most: how many any problem may get.
    """
    bounds = np.minimum(np.array(room, dtype=float), most)
    given = np.zeros(len(shares))
    open_ = bounds > 0
    # What bounded problems cannot take goes to the others; each pass closes one at least.
    while open_.any() and (left := budget - given.sum()) > 1e-9:
        given[open_] += left * shares[open_] / shares[open_].sum()
        given = np.minimum(given, bounds)
        open_ &= given < bounds - 1e-9
    whole = np.floor(given + 1e-9)
    left = round(float(min(budget, bounds.sum()) - whole.sum()))
    nearest = np.argsort(-(given - whole), kind="stable")
    for number in [n for n in nearest if whole[n] < bounds[n]][:left]:
        whole[number] += 1
    return [int(count) for count in whole]
