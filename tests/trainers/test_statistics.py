"""Every estimator against brute force or a published number; the intervals by simulation."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers import statistics as s

bits = st.lists(st.integers(0, 1), min_size=1, max_size=12)
pairs_of_bits = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=10)
rates = st.lists(st.integers(0, 8).map(lambda i: i / 8), min_size=2, max_size=30)


@settings(deadline=None)
@given(
    st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n)))
)
def test_pass_at_k_is_the_share_of_subsets_with_a_pass(case):
    n, c, k = case
    outcomes = [1] * c + [0] * (n - c)
    subsets = list(combinations(outcomes, k))
    assert s.pass_at_k(n, c, k) == pytest.approx(sum(map(max, subsets)) / len(subsets))


@pytest.mark.parametrize(("n", "c", "k"), [(4, 5, 1), (4, 1, 5), (4, -1, 1), (4, 1, 0)])
def test_pass_at_k_refuses_impossible_counts(n, c, k):
    with pytest.raises(ValueError, match="pass@k wants"):
        s.pass_at_k(n, c, k)


def test_mean_pass_at_k_averages_problems_not_samples():
    figure = s.mean_pass_at_k([(10, 10), (2, 0), (4, 2)], 1)
    assert figure.value == pytest.approx(0.5)
    assert figure.n == 3
    assert figure.low < 0.5 < figure.high


def test_wilson_gives_published_numbers():
    # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3.
    figure = s.wilson(81, 263)
    assert (round(figure.low, 4), round(figure.high, 4)) == (0.2553, 0.3662)
    assert round(s.wilson(0, 20).high, 4) == 0.1611
    assert s.wilson(0, 20).low == 0.0
    assert s.wilson(29, 29).high == 1.0
    assert s.wilson(0, 0).value is None
    with pytest.raises(ValueError, match="0 <= successes <= n"):
        s.wilson(3, 2)


@settings(deadline=None)
@given(rates)
def test_a_rate_lies_in_its_interval_and_the_interval_in_the_unit(values):
    figure = s.rate(values)
    assert 0 <= figure.low <= figure.value + 1e-12
    assert figure.value - 1e-12 <= figure.high <= 1


def test_equal_rates_do_not_claim_certainty():
    figure = s.rate([1.0] * 10)
    assert figure.low < 0.8
    assert figure.high == 1.0


@pytest.mark.parametrize("value", [1.5, float("nan")])
def test_what_is_no_rate_is_refused(value):
    with pytest.raises(ValueError, match=r"rate lies in|not a finite"):
        s.rate([0.5, value])


def test_the_same_seed_gives_the_same_interval():
    values = np.linspace(0, 1, 20) ** 2
    assert s.mean(values, seed=3) == s.mean(values, seed=3)
    assert s.mean(values, seed=3) != s.mean(values, seed=4)


def test_the_bootstrap_agrees_with_full_enumeration():
    values = np.array([0.0, 0.1, 0.35, 0.9, 1.7])
    means = [np.mean(rows) for rows in product(values, repeat=5)]
    figure = s.mean(values)
    assert figure.low == pytest.approx(np.quantile(means, 0.025), abs=0.02)
    assert figure.high == pytest.approx(np.quantile(means, 0.975), abs=0.02)


@settings(deadline=None)
@given(rates)
def test_pairing_removes_what_both_share(values):
    figure = s.mean_difference(np.array(values) + 1.0, values)
    assert figure.value == pytest.approx(1.0)
    assert figure.low == pytest.approx(1.0)
    assert figure.high == pytest.approx(1.0)


def test_gap_closed():
    baseline, verifier, oracle = [0.25, 0.5, 0.0, 1.0], [1, 0, 0, 1], [1, 1, 0, 1]
    figure = s.gap_closed(baseline, verifier, oracle)
    assert figure.value == pytest.approx((0.5 - 0.4375) / (0.75 - 0.4375))
    assert figure.n == 4


def test_gap_closed_is_undefined_where_the_oracle_wins_nothing():
    figure = s.gap_closed([0, 1, 1], [0, 1, 1], [0, 1, 1])
    assert (figure.value, figure.low, figure.high, figure.n) == (None, None, None, 3)


def test_a_ratio_that_is_often_undefined_has_no_interval():
    figure = s.ratio_of_means([1, 0, 0], [1, 0, 0])
    assert figure.value == 1.0
    assert (figure.low, figure.high) == (None, None)


def test_too_few_problems():
    assert s.mean([]).value is None
    assert s.mean([0.5]) == s.Figure(0.5, None, None, 1)


@settings(deadline=None)
@given(pairs_of_bits)
def test_mcnemar_and_sign_flip_are_the_same_exact_test_on_bits(pairs):
    a, b = zip(*pairs, strict=True)
    assert s.mcnemar(a, b) == pytest.approx(s.sign_flip(a, b))


@settings(deadline=None)
@given(pairs_of_bits)
def test_mcnemar_against_enumeration(pairs):
    a, b = np.array(pairs).T
    n = int((a != b).sum())
    wins = int((a > b).sum())
    as_good = [sum(signs) >= wins for signs in product((0, 1), repeat=n)]
    assert s.mcnemar(a, b) == pytest.approx(np.mean(as_good))


def test_mcnemar_refuses_rates_and_unequal_lists():
    with pytest.raises(ValueError, match="values of 0 and 1"):
        s.mcnemar([0.5], [1])
    with pytest.raises(ValueError, match="differ in length"):
        s.mcnemar([1, 0], [1])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-4, 4).filter(bool), min_size=15, max_size=15), st.integers(0, 99))
def test_drawn_sign_patterns_agree_with_all_of_them(differences, seed):
    d = np.array(differences) / 4
    exact = np.mean([np.dot(signs, d) >= d.sum() - 1e-9 for signs in product((-1, 1), repeat=15)])
    assert s.sign_flip(d, np.zeros(15), seed=seed) == pytest.approx(exact, abs=0.025)


def test_compare_paired_promotes_the_better_and_keeps_the_equal():
    rng = np.random.default_rng(0)
    champion = rng.integers(0, 2, 300)
    better = np.where(rng.random(300) < 0.2, 1, champion)
    won = s.compare_paired(better, champion)
    assert won.better
    assert won.effect.low > 0
    same = s.compare_paired(champion, champion)
    assert not same.better
    assert same.p_value == 1.0
    worse = s.compare_paired(champion, better)
    assert not worse.better
    assert worse.p_value > 0.99


def test_compare_paired_uses_the_rates_test_for_rates():
    champion = np.tile([0.25, 0.5], 20)
    compared = s.compare_paired(champion + 0.1, champion)
    assert compared.better
    assert compared.test.startswith("paired sign flip")
    assert compared.effect.value == pytest.approx(0.1)


def test_each_look_costs():
    assert sum(s.look_threshold(0.05, k) for k in range(1, 10_000)) == pytest.approx(0.05, rel=1e-3)
    champion, candidate = [0] * 12, [1] * 6 + [0] * 6  # p = 1/64
    assert s.compare_paired(candidate, champion, looks=1).better
    assert not s.compare_paired(candidate, champion, looks=2).better
    with pytest.raises(ValueError, match="looks >= 1"):
        s.compare_paired(candidate, champion, looks=0)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1)), min_size=1, max_size=20))
def test_auc_is_the_share_of_pairs_in_order(samples):
    passing = [score for score, label in samples if label]
    failing = [score for score, label in samples if not label]
    found = s.auc(*zip(*samples, strict=True))
    if not passing or not failing:
        assert found is None
    else:
        won = [(p > f) + 0.5 * (p == f) for p in passing for f in failing]
        assert found == pytest.approx(np.mean(won))


def test_auc_within_problem_ignores_what_lies_between_problems():
    # Between problems the scores look perfect, within each they are wrong.
    scores = [0.9, 0.95, 0.1, 0.05, 0.5, 0.5]
    labels = [1, 0, 0, 1, 1, 1]
    figure = s.auc_within_problem(scores, labels, ["a", "a", "b", "b", "c", "c"])
    assert figure.value == 0.0
    assert figure.n == 2
    assert s.auc_within_problem([], [], []).value is None


def test_ece_of_a_worked_example():
    probabilities = [0.1, 0.1, 0.9, 0.9]
    labels = [0, 1, 1, 1]
    names = ["a", "b", "c", "d"]
    for binning in ("mass", "width"):
        figure = s.ece(probabilities, labels, names, bins=2, binning=binning)
        assert figure.value == pytest.approx(0.5 * 0.4 + 0.5 * 0.1)
        assert figure.n == 4


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=30),
    st.integers(1, 8),
)
def test_ece_against_a_loop(samples, bins):
    p, y = map(np.array, zip(*samples, strict=True))
    figure = s.ece(p, y, [str(i) for i in range(p.size)], bins=bins, binning="width")
    edges = np.arange(1, bins) / bins
    which = np.array([int((edges <= value).sum()) for value in p])
    expected = sum(
        abs(p[which == b].mean() - y[which == b].mean()) * (which == b).mean() for b in set(which)
    )
    assert figure.value == pytest.approx(expected)


def test_ece_is_small_for_the_calibrated_and_large_for_the_sure():
    rng = np.random.default_rng(1)
    p = rng.random(4000)
    y = (rng.random(4000) < p).astype(int)
    names = [str(i // 10) for i in range(4000)]
    assert s.ece(p, y, names).value < 0.03
    sure = s.ece((p > 0.5) * 1.0, y, names)
    assert sure.value == pytest.approx(0.25, abs=0.03)
    assert sure.low < 0.25 < sure.high


def covered(true, figures):
    return np.mean([f.low <= true <= f.high for f in figures])


@pytest.mark.slow
def test_the_intervals_cover_what_they_say():
    rng = np.random.default_rng(2)
    wilson = [s.wilson(int(rng.binomial(40, 0.15)), 40) for _ in range(1000)]
    assert 0.93 < covered(0.15, wilson) <= 1
    # Problems with rates of their own, eight samples each: mean 0.4, intervals over problems.
    draws = [rng.binomial(8, rng.beta(0.8, 1.2, 100)) / 8 for _ in range(400)]
    assert 0.92 < covered(0.4, [s.rate(d, seed=i) for i, d in enumerate(draws)]) < 0.98
    gaps = []
    for i in range(400):
        base = rng.beta(0.8, 1.2, 120)
        top = np.ones(120)
        picked = base + (top - base) * (rng.random(120) < 0.3)
        gaps.append(s.gap_closed(base, picked, top, seed=i))
    assert 0.91 < covered(0.3, gaps) < 0.98


@pytest.mark.slow
def test_a_daemon_that_never_stops_promotes_by_chance_rarely():
    rng = np.random.default_rng(3)
    promoted = 0
    for _ in range(300):
        difficulty = rng.random(80)
        looks = ((rng.random(80) < difficulty, rng.random(80) < difficulty) for _ in range(30))
        promoted += any(
            s.mcnemar(candidate, champion) <= s.look_threshold(0.05, k)
            for k, (candidate, champion) in enumerate(looks, 1)
        )
    assert promoted / 300 <= 0.05
