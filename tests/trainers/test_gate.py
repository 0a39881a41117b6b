"""The gate: promotes what is better and rarely what is not."""

import numpy as np
import pytest
from simulated_critics import simulate

from trainers.gate import against_champion, against_random, random_picking_p


def test_the_tail_is_the_binomials_where_all_rates_are_equal():
    from scipy.stats import binom

    for passes in range(11):
        expected = binom.sf(passes - 1, 10, 0.3)
        assert random_picking_p(passes, np.full(10, 0.3)) == pytest.approx(expected)


def test_no_problems_and_sure_problems_prove_nothing():
    assert random_picking_p(0, np.array([])) == 1.0
    assert random_picking_p(3, np.ones(3)) == pytest.approx(1.0)
    decision = against_random(np.array([]), np.array([]), alpha=0.05, looks=1, seed=0)
    assert (decision.decision, decision.effect.n) == ("kept", 0)
    assert "no problems" in decision.reason


def test_a_picker_that_is_random_is_promoted_in_at_most_alpha_of_trials():
    random = np.random.default_rng(0)
    promoted = 0
    for _ in range(1000):
        rates = random.integers(0, 5, size=60) / 4
        decision_p = random_picking_p(int((random.random(60) < rates).sum()), rates)
        promoted += decision_p <= 0.05 / 2
    assert promoted <= 40


def test_an_equal_candidate_is_rarely_promoted_and_a_better_one_mostly():
    random = np.random.default_rng(1)
    base = random.random(400) < 0.6
    better = base | (random.random(400) < 0.15)
    assert against_champion(better, base, alpha=0.05, looks=1, seed=0).decision == "promoted"
    same = against_champion(base, base, alpha=0.05, looks=1, seed=0)
    assert (same.decision, same.p_value) == ("kept", 1.0)


def test_every_look_leaves_less_alpha_and_the_reason_says_so():
    rates, picks = np.full(40, 0.5), np.ones(40)
    first = against_random(picks, rates, alpha=0.05, looks=1, seed=0)
    third = against_random(picks, rates, alpha=0.05, looks=3, seed=0)
    assert third.alpha < first.alpha <= 0.05
    assert "look 3" in third.reason
    assert "+50.0 points" in third.reason


def test_an_equal_critic_is_promoted_in_at_most_five_percent_of_a_thousand_trials():
    random = np.random.default_rng(2)
    promoted = 0
    for seed in range(1000):
        pair = simulate(random, 400, candidate=0.6, champion=0.6, alike=0.5)
        decision = against_champion(pair.candidate, pair.champion, alpha=0.05, looks=1, seed=seed)
        promoted += decision.decision == "promoted"
    assert promoted <= 50


@pytest.mark.parametrize("alike", [0.0, 0.5])
def test_a_critic_five_points_better_on_400_problems_is_promoted_in_most_trials(alike):
    random = np.random.default_rng(3)
    promoted, better, trials = 0, 0.0, 100
    for seed in range(trials):
        pair = simulate(random, 400, candidate=0.9, champion=0.6, alike=alike)
        better += pair.better
        decision = against_champion(pair.candidate, pair.champion, alpha=0.05, looks=1, seed=seed)
        promoted += decision.decision == "promoted"
    assert 0.04 <= better / trials <= 0.055
    assert promoted >= 0.8 * trials
