"""Estimators, intervals and paired tests; every figure carries an interval and its sample size.

Problems, not samples, are the unit: samples of one problem are alike, so every interval that is not
a plain proportion's is a bootstrap over problems. All randomness is seeded: same numbers in, same
figure out. The intervals are 95 % ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from math import sqrt
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from memory.records import Figure

Array = NDArray[np.float64]

CONFIDENCE = 0.95
RESAMPLES = 10_000
# A resample in which a ratio is undefined is left out; above this share there is no interval.
MAX_UNDEFINED = 0.01
# Up to this many differing problems every sign pattern is enumerated; above it they are drawn.
EXACT_SIGNS = 14
DRAWN_SIGNS = 50_000
# Drawing ends early once so many were as extreme: the p-value is then known to a few percent.
ENOUGH_HITS = 2_000
_CHUNK = 2_000_000  # numbers a resampling step holds at once


@dataclass(frozen=True)
class Comparison:
    """A candidate against a champion on the same problems.

    ``effect`` is the mean of candidate minus champion; ``p_value`` is one-sided (candidate better);
    ``better`` holds when the p-value is at most ``threshold``, what ``alpha`` leaves for this look.
    """

    effect: Figure
    p_value: float
    better: bool
    threshold: float
    test: str


def pass_at_k(n: int, c: int, k: int) -> float:
    """Estimate pass@k without bias from ``c`` passing samples of ``n``.

    Source: Chen et al. 2021, "Evaluating Large Language Models Trained on Code", section 2.1.

    Raises:
        ValueError: unless 0 <= c <= n and 1 <= k <= n.
    """
    if not 0 <= c <= n or not 1 <= k <= n:
        raise ValueError(f"pass@k wants 0 <= c <= n and 1 <= k <= n; got n={n}, c={c}, k={k}")
    if n - c < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))


def mean_pass_at_k(counts: Sequence[tuple[int, int]], k: int, *, seed: int = 0) -> Figure:
    """Average pass@k over problems, from each problem's (samples, passes)."""
    return rate([pass_at_k(n, c, k) for n, c in counts], seed=seed)


def wilson(successes: int, n: int) -> Figure:
    """Give a proportion with its score interval.

    Source: Wilson 1927, JASA 22:209-212.

    Raises:
        ValueError: unless 0 <= successes <= n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"a proportion wants 0 <= successes <= n; got {successes} of {n}")
    if n == 0:
        return Figure(None, None, None, 0)
    low, high = _wilson_bounds(successes / n, n)
    return Figure(successes / n, low, high, n)


def rate(values: ArrayLike, *, seed: int = 0) -> Figure:
    """Average per-problem rates in [0, 1]: bootstrap over problems.

    Where all problems have the same rate a bootstrap would claim certainty; the interval is then
    Wilson's, which is the widest that a rate in [0, 1] with this mean can need.

    Raises:
        ValueError: for a rate outside [0, 1].
    """
    column = _vector(values)
    if column.size and (column.min() < 0 or column.max() > 1):
        raise ValueError(f"a rate lies in [0, 1]; got {column.min():g} to {column.max():g}")
    if column.size and np.ptp(column) == 0:
        low, high = _wilson_bounds(float(column[0]), column.size)
        return Figure(float(column[0]), low, high, column.size)
    return mean(column, seed=seed)


def mean(values: ArrayLike, *, seed: int = 0) -> Figure:
    """Average over problems with a percentile bootstrap interval."""
    return bootstrap(_vector(values)[:, None], lambda m: m[..., 0], seed=seed)


def mean_difference(first: ArrayLike, second: ArrayLike, *, seed: int = 0) -> Figure:
    """Average first minus second on the same problems: paired bootstrap."""
    a, b = _pair(first, second)
    return mean(a - b, seed=seed)


def gap_closed(
    baseline: ArrayLike, verifier: ArrayLike, oracle: ArrayLike, *, seed: int = 0
) -> Figure:
    """Divide the means' (verifier - baseline) by (oracle - baseline) over the same problems.

    The three are resampled together. Undefined (None) where the oracle wins nothing.
    """
    low, picked = _pair(baseline, verifier)
    _, top = _pair(baseline, oracle)
    return ratio_of_means(picked - low, top - low, seed=seed)


def ratio_of_means(numerator: ArrayLike, denominator: ArrayLike, *, seed: int = 0) -> Figure:
    """Divide two means over the same problems, resampled together."""
    columns = np.stack(_pair(numerator, denominator), axis=1)

    def ratio(means: Array) -> Array:
        below = means[..., 1]
        defined = np.abs(below) > 1e-12
        out: Array = np.full(below.shape, np.nan)
        np.divide(means[..., 0], below, out=out, where=defined)
        return out

    return bootstrap(columns, ratio, seed=seed)


def bootstrap(
    columns: Array,
    statistic: Callable[[Array], Array],
    *,
    method: Literal["percentile", "outer"] = "percentile",
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Figure:
    """Compute a function of column means; resampling rows (problems) gives its interval.

    Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapters 13 and 14.

    Args:
        columns: (problems, columns) of finite numbers.
        statistic: maps (..., columns) of means to (...); NaN where undefined.
        method: ``percentile`` takes the resamples' quantiles; ``outer`` also mirrors them about
            the value and takes the outer bounds, for a statistic that resampling pushes one way.
        seed: of the resampling.
        resamples: how many.
    """
    n = columns.shape[0]
    if n == 0:
        return Figure(None, None, None, 0)
    value = float(statistic(columns.mean(axis=0)))
    if np.isnan(value):
        return Figure(None, None, None, n)
    if n == 1:
        return Figure(value, None, None, 1)
    drawn = statistic(_resampled_means(columns, resamples, seed))
    if np.isnan(drawn).mean() > MAX_UNDEFINED:
        return Figure(value, None, None, n)
    tail = (1 - CONFIDENCE) / 2
    low, high = (float(q) for q in np.nanquantile(drawn, [tail, 1 - tail]))
    if method == "outer":
        low, high = min(low, 2 * value - high), max(high, 2 * value - low)
    return Figure(value, min(low, value), max(high, value), n)


def mcnemar(candidate: ArrayLike, champion: ArrayLike) -> float:
    """Test one-sidedly and exactly whether the candidate passes more of the same problems.

    Given the problems on which just one of the two passes, wins are Binomial(n, 1/2) under the
    null hypothesis. Source: McNemar 1947, Psychometrika 12:153-157, in its exact form.

    Raises:
        ValueError: for values that are not 0 or 1, or lists of different length.
    """
    a, b = _pair(candidate, champion)
    if not np.isin(np.concatenate([a, b]), (0, 1)).all():
        raise ValueError("McNemar's test wants values of 0 and 1; use sign_flip for rates")
    wins, losses = int(((a == 1) & (b == 0)).sum()), int(((a == 0) & (b == 1)).sum())
    return float(stats.binom.sf(wins - 1, wins + losses, 0.5))


def sign_flip(candidate: ArrayLike, champion: ArrayLike, *, seed: int = 0) -> float:
    """Test the mean difference one-sidedly by the paired randomisation test.

    Under the null hypothesis each problem's difference could as well have the other sign. All
    patterns are enumerated up to ``EXACT_SIGNS`` differing problems; above, ``DRAWN_SIGNS`` are
    drawn and the observed one is counted in, so that the p-value is never too small; a p-value that
    is large is known after few draws, and drawing ends there.
    Sources: Fisher 1935; Phipson and Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39; for the early
    end Besag and Clifford 1991, Biometrika 78:301.
    """
    a, b = _pair(candidate, champion)
    differences = (a - b)[a != b]
    if differences.size == 0:
        return 1.0
    # Sums that are equal but for rounding count as equal.
    reached = differences.sum() - 1e-9 * np.abs(differences).sum()
    if differences.size <= EXACT_SIGNS:
        signs = np.array(list(product((-1.0, 1.0), repeat=differences.size)))
        return float((signs @ differences >= reached).mean())
    rng = np.random.default_rng(seed)
    hits = drawn = 0
    step = max(1, min(DRAWN_SIGNS // 20, _CHUNK // differences.size))
    while drawn < DRAWN_SIGNS and hits < ENOUGH_HITS:
        count = min(step, DRAWN_SIGNS - drawn)
        bits = np.unpackbits(
            np.frombuffer(rng.bytes(count * (-(-differences.size // 8))), dtype=np.uint8)
        ).reshape(count, -1)[:, : differences.size]
        hits += int((2.0 * (bits @ differences) - differences.sum() >= reached).sum())
        drawn += count
    return (hits + 1) / (drawn + 1)


def look_threshold(alpha: float, looks: int) -> float:
    """Share ``alpha`` out to the ``looks``-th look at the same problems: alpha / (k (k + 1)).

    These sum to ``alpha`` however many looks there will be (Bonferroni with unequal shares), so a
    daemon that goes on for ever promotes by chance with probability ``alpha`` at most; plain
    alpha / looks would need the number of looks beforehand.

    Raises:
        ValueError: unless 0 < alpha < 1 and looks >= 1.
    """
    if not 0 < alpha < 1 or looks < 1:
        raise ValueError(f"wants 0 < alpha < 1 and looks >= 1; got {alpha:g} and {looks}")
    return alpha / (looks * (looks + 1))


def compare_paired(
    candidate: ArrayLike, champion: ArrayLike, *, alpha: float = 0.05, looks: int = 1, seed: int = 0
) -> Comparison:
    """Decide one-sidedly, corrected for earlier looks, whether the candidate is better.

    Values of 0 and 1 get McNemar's exact test, rates the paired randomisation test.

    Args:
        candidate: one value a problem, higher is better.
        champion: the same problems in the same order.
        alpha: the chance of ever promoting a candidate that is no better.
        looks: which look at these problems this is, from 1.
        seed: of the resampling.

    Raises:
        ValueError: for lists of different length, or an alpha or looks out of range.
    """
    a, b = _pair(candidate, champion)
    threshold = look_threshold(alpha, looks)
    effect = mean_difference(a, b, seed=seed)
    if np.isin(np.concatenate([a, b]), (0, 1)).all():
        test, p_value = "mcnemar exact, one-sided", mcnemar(a, b)
    else:
        test, p_value = "paired sign flip, one-sided", sign_flip(a, b, seed=seed)
    return Comparison(effect, p_value, p_value <= threshold, threshold, test)


def auc(scores: ArrayLike, labels: ArrayLike) -> float | None:
    """P(a passing sample scores higher than a failing one), ties a half; None for one class only.

    Source: the Mann-Whitney form, Hanley and McNeil 1982, Radiology 143:29-36.
    """
    values, passed = _pair(scores, labels)
    positive = passed == 1
    n_pos = int(positive.sum())
    n_neg = positive.size - n_pos
    if not n_pos or not n_neg:
        return None
    ranks = stats.rankdata(values)
    return float((ranks[positive].sum() - n_pos * (n_pos + 1) / 2) / (n_pos * n_neg))


def auc_within_problem(
    scores: ArrayLike, labels: ArrayLike, problems: Sequence[str], *, seed: int = 0
) -> Figure:
    """Average over problems the AUC among that problem's own samples.

    Only problems with both outcomes count; ``n`` is how many these are.

    Args:
        scores: one a sample, higher means more likely to pass.
        labels: 0 or 1 a sample.
        problems: the sample's problem id.
        seed: of the resampling.
    """
    values, passed = _pair(scores, labels)
    codes = _codes(problems, values.size)
    found = [auc(values[codes == c], passed[codes == c]) for c in range(codes.max(initial=-1) + 1)]
    return rate([a for a in found if a is not None], seed=seed)


def ece(
    probabilities: ArrayLike,
    labels: ArrayLike,
    problems: Sequence[str],
    *,
    bins: int = 10,
    binning: Literal["mass", "width"] = "mass",
    seed: int = 0,
) -> Figure:
    """Measure expected calibration error: |mean p - pass rate| averaged by the bins' shares.

    ``mass`` puts the same number of samples in each bin (ties stay together), ``width`` cuts
    [0, 1] evenly. The bins stay as they are while problems are resampled. A small sample adds to
    this error and so does resampling it: the value is rather too high, most so for a model that is
    calibrated, and the interval is the outer one. ``n`` counts samples.
    Sources: Naeini et al. 2015 (AAAI); Nixon et al. 2019 for equal mass.
    """
    p, y = _pair(probabilities, labels)
    codes = _codes(problems, p.size)
    if not p.size:
        return Figure(None, None, None, 0)
    edges = (
        np.unique(np.quantile(p, np.arange(1, bins) / bins))
        if binning == "mass"
        else np.arange(1, bins) / bins
    )
    which = np.searchsorted(edges, p, side="right")
    # (problems, 2 * bins): per problem and bin the sum of p - y and the number of samples.
    n_bins = edges.size + 1
    cells = codes * n_bins + which
    shape = (codes.max() + 1, n_bins)
    gaps_by_bin = np.bincount(cells, weights=p - y, minlength=shape[0] * n_bins).reshape(shape)
    sizes_by_bin = np.bincount(cells, minlength=shape[0] * n_bins).reshape(shape)
    columns = np.concatenate([gaps_by_bin, sizes_by_bin], axis=1)

    def error(means: Array) -> Array:
        gaps, sizes = means[..., :n_bins], means[..., n_bins:]
        return np.asarray(np.abs(gaps).sum(axis=-1) / sizes.sum(axis=-1))

    figure = bootstrap(columns, error, method="outer", seed=seed)
    low = None if figure.low is None else max(0.0, figure.low)
    return Figure(figure.value, low, figure.high, p.size)


def _wilson_bounds(share: float, n: int) -> tuple[float, float]:
    z = float(stats.norm.ppf(0.5 + CONFIDENCE / 2))
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (
        0.0 if share == 0 else max(0.0, centre - half),
        1.0 if share == 1 else min(1.0, centre + half),
    )


def _resampled_means(columns: Array, resamples: int, seed: int) -> Array:
    """(resamples, columns) of means over rows drawn with replacement, in bounded memory."""
    n, width = columns.shape
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK // (n * width))
    sizes = [min(step, resamples - start) for start in range(0, resamples, step)]
    return np.concatenate([columns[rng.integers(n, size=(s, n))].mean(axis=1) for s in sizes])


def _vector(values: ArrayLike) -> Array:
    column = np.asarray(values, dtype=np.float64).reshape(-1)
    if not np.isfinite(column).all():
        raise ValueError("a value is not a finite number")
    return column


def _pair(first: ArrayLike, second: ArrayLike) -> tuple[Array, Array]:
    a, b = _vector(first), _vector(second)
    if a.size != b.size:
        raise ValueError(f"two lists over the same problems differ in length: {a.size}, {b.size}")
    return a, b


def _codes(problems: Sequence[str], size: int) -> NDArray[np.intp]:
    """Give each sample its problem's number, from 0: (samples,)."""
    if len(problems) != size:
        raise ValueError(f"{size} samples but {len(problems)} problem ids")
    return np.unique(np.asarray(problems, dtype=str), return_inverse=True)[1].reshape(-1)
