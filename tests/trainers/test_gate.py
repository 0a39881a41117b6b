"""The gate: promotes what is better and rarely what is not."""

import numpy as np
import pytest
from simulated_critics import simulate

from trainers.critic.ranking import chance_p
from trainers.gate import against_champion, against_random


def test_a_ranking_that_knows_nothing_is_promoted_in_at_most_alpha_of_trials():
    random = np.random.default_rng(0)
    promoted, trials = 0, 200
    for seed in range(trials):
        rates = random.random(40)
        passed = (random.random((40, 6)) < rates[:, None]).astype(float).ravel()
        rows = [np.arange(6) + 6 * i for i in range(40)]
        # Half of the scores are tied.
        scores = np.round(random.normal(size=240), seed % 2)
        promoted += chance_p(scores, passed, rows, seed=seed) <= 0.05
    assert promoted <= 0.05 * trials + 3 * np.sqrt(0.05 * 0.95 * trials)


def test_a_ranking_that_knows_something_is_told_from_chance():
    pair = simulate(np.random.default_rng(1), 90, candidate=0.9, champion=0.0, alike=0.0)
    assert pair.better > 0
    p_values = [
        chance_p(scores, pair.passed, pair.rows, seed=0)
        for scores in (pair.scores, np.zeros(len(pair.scores)))
    ]
    assert p_values[0] < 0.001
    assert p_values[1] == 1.0


def test_no_problems_and_sure_problems_prove_nothing():
    assert chance_p(np.empty(0), np.empty(0), [], seed=0) == 1.0
    sure = chance_p(np.arange(4.0), np.ones(4), [np.arange(4)], seed=0)
    assert sure == 1.0
    decision = against_random(np.array([]), np.array([]), 1.0, alpha=0.05, looks=1, seed=0)
    assert (decision.decision, decision.effect.n) == ("kept", 0)
    assert "no problems" in decision.reason


def test_an_equal_candidate_is_rarely_promoted_and_a_better_one_mostly():
    random = np.random.default_rng(1)
    base = random.random(400) < 0.6
    better = base | (random.random(400) < 0.15)
    assert against_champion(better, base, alpha=0.05, looks=1, seed=0).decision == "promoted"
    same = against_champion(base, base, alpha=0.05, looks=1, seed=0)
    assert (same.decision, same.p_value) == ("kept", 1.0)


def test_every_look_leaves_less_alpha_and_the_reason_says_so():
    rates, picks = np.full(40, 0.5), np.ones(40)
    first = against_random(picks, rates, 0.004, alpha=0.05, looks=1, seed=0)
    third = against_random(picks, rates, 0.005, alpha=0.05, looks=3, seed=0)
    assert third.alpha < first.alpha <= 0.05
    assert (first.decision, third.decision) == ("promoted", "kept")
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
