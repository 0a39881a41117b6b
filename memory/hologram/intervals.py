"""95 % intervals for the figures of the memory: a proportion's, and bootstraps over tasks."""

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from memory.records import Figure

Array = NDArray[np.float64]

CONFIDENCE = 0.95
RESAMPLES = 4_000
_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


def wilson(successes: int, n: int) -> Figure:
    """A proportion with its score interval (Wilson 1927, JASA 22:209-212).

    In closed form, since scipy's import takes longer than the report that these figures are for.
    """
    if n == 0:
        return Figure(None, None, None, 0)
    share = successes / n
    middle = share + _Z**2 / (2 * n)
    half = _Z * ((share * (1 - share) + _Z**2 / (4 * n)) / n) ** 0.5
    scale = 1 + _Z**2 / n
    low = 0.0 if successes == 0 else (middle - half) / scale
    high = 1.0 if successes == n else (middle + half) / scale
    return Figure(share, low, high, n)


def ratio(numerators: ArrayLike, denominators: ArrayLike, *, seed: int = 0) -> Figure:
    """The sum of one column divided by that of another; units (rows) are resampled together.

    None where the denominators are all 0. A resample in which they are is left out.
    """

    def of(rows: Array) -> Array:
        sums = rows.sum(axis=-2)
        undefined = np.full(sums.shape[:-1], np.nan)
        np.divide(sums[..., 0], sums[..., 1], out=undefined, where=sums[..., 1] != 0)
        return undefined

    columns = np.stack([np.asarray(numerators), np.asarray(denominators)], axis=1)
    return _bootstrap(columns.astype(np.float64), of, seed)


def median(values: ArrayLike, *, seed: int = 0) -> Figure:
    """The median over units with a percentile bootstrap interval."""
    column = np.asarray(values, dtype=np.float64).reshape(-1, 1)
    return _bootstrap(column, lambda rows: np.median(rows[..., 0], axis=-1), seed)


def _bootstrap(columns: Array, statistic: Callable[[Array], Array], seed: int) -> Figure:
    """A statistic of rows; resampling them gives its interval (Efron and Tibshirani 1993, ch. 13).

    Args:
        columns: (units, columns).
        statistic: maps (..., units, columns) to (...); NaN where undefined.
        seed: of the resampling.
    """
    n = len(columns)
    value = float(statistic(columns)) if n else np.nan
    if np.isnan(value):
        return Figure(None, None, None, n)
    if n == 1:
        return Figure(value, None, None, 1)
    rng = np.random.default_rng(seed)
    step = max(1, 1_000_000 // columns.size)  # resamples held at once
    drawn = np.concatenate(
        [
            statistic(columns[rng.integers(n, size=(min(step, RESAMPLES - start), n))])
            for start in range(0, RESAMPLES, step)
        ]
    )
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(drawn, [tail, 1 - tail])
    return Figure(value, min(float(low), value), max(float(high), value), n)
