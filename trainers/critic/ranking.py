"""Picking by score: which sample comes first, and how good a ranking is for best-of-N."""

from collections.abc import Sequence
from functools import lru_cache
from math import comb

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rows = Sequence[NDArray[np.int64]]

PERMUTATIONS = 10_000


def order(scores: Array) -> NDArray[np.int64]:
    """Rank samples from the highest score down; of equal ones the lower ``idx`` comes first."""
    return np.argsort(-scores, kind="stable").astype(np.int64)


def picked(scores: Array, passed: Array, rows: Rows) -> Array:
    """(problems,) in [0, 1]: P(the sample that is ranked first passes), ties broken by lot.

    A picker without an opinion is random picking; for one without ties the values are 0 and 1.
    """
    out = []
    for group in rows:
        first = scores[group] == scores[group].max()
        out.append(passed[group][first].mean())
    return np.array(out, dtype=float)


def rates(passed: Array, rows: Rows) -> Array:
    """(problems,): the pass rate of a problem's samples, what random picking wins."""
    return np.array([passed[group].mean() for group in rows], dtype=float)


def oracle(passed: Array, rows: Rows) -> Array:
    """(problems,) of 0 and 1: 1 where any sample passes."""
    return np.array([passed[group].max() for group in rows], dtype=float)


def gains(scores: Array, passed: Array, rows: Rows) -> Array:
    """(problems,): the rerank gain over random picking, averaged over best-of-k for k = 2 .. N.

    Each best-of-k is the exact mean over all subsets of k samples. It has the same aim as the gain
    at N alone and far less noise on few problems, which is what choosing a checkpoint needs.
    """
    return subset_picks(scores, passed, rows) - rates(passed, rows)


def subset_picks(scores: Array, passed: Array, rows: Rows) -> Array:
    """(problems,): P(the first of a random subset passes), averaged over sizes from 2 to N."""
    out = np.empty(len(rows))
    sizes = np.array([len(group) for group in rows], dtype=int)
    for size in np.unique(sizes):  # problems with as many samples are done in one go
        chosen = np.flatnonzero(sizes == size)
        numbers = np.stack([rows[i] for i in chosen])  # (problems, samples)
        out[chosen] = _tied_means(scores[numbers], passed[numbers]) @ _weights(int(size))
    return out


def chance_p(scores: Array, passed: Array, rows: Rows, *, seed: int) -> float:
    """P(a ranking that knows nothing gains as much as this one), by permuting outcomes.

    Under the null hypothesis a problem's outcomes could as well belong to its samples in any other
    order, so the test is exact whatever the pass rates are; the observed order is counted in
    (Phipson and Smyth 2010). The statistic is the mean of :func:`subset_picks`.
    """
    if not len(rows):
        return 1.0
    random = np.random.default_rng(seed)
    drawn = np.zeros(PERMUTATIONS)
    observed = 0.0
    for group in rows:
        won, n = int(passed[group].sum()), len(group)
        if won in (0, n):  # any order is the same
            continue
        # Equal scores share the mean weight of their ranks.
        weights = _tied_means(scores[None, group], _weights(n)[None, _ranks(scores[group])])[0]
        observed += float(weights @ passed[group][order(scores[group])])
        places = random.random((PERMUTATIONS, n)).argpartition(won - 1, axis=1)[:, :won]
        drawn += weights[places].sum(axis=1)
    reached = int((drawn >= observed - 1e-9).sum())
    return (reached + 1) / (PERMUTATIONS + 1)


def _ranks(scores: Array) -> NDArray[np.int64]:
    """(samples,): the rank of each, from 0 for the highest."""
    ranks = np.empty(len(scores), dtype=np.int64)
    ranks[order(scores)] = np.arange(len(scores))
    return ranks


def _tied_means(scores: Array, passed: Array) -> Array:
    """(problems, samples) outcomes in order of falling score; equal scores share their mean."""
    falling = np.argsort(-scores, axis=1, kind="stable")
    ranked = np.take_along_axis(scores, falling, axis=1)
    outcomes = np.take_along_axis(passed, falling, axis=1)
    begins = np.ones(ranked.shape, dtype=int)
    begins[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    tie = np.cumsum(begins).reshape(ranked.shape) - 1
    sums, sizes = np.bincount(tie.ravel(), outcomes.ravel()), np.bincount(tie.ravel())
    means: Array = (sums / sizes)[tie]
    return means


@lru_cache(maxsize=256)
def _weights(n: int) -> Array:
    """(n,): how often rank r is the best of a random subset, averaged over the subset's size."""
    if n < 2:
        return np.ones(n)
    sizes = range(2, n + 1)
    table = [[comb(n - 1 - r, k - 1) / comb(n, k) for r in range(n)] for k in sizes]
    weights: Array = np.array(table).mean(axis=0)
    return weights
