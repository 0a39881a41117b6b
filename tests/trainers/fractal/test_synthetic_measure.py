"""The figures: each with its n, the yardsticks beside them, and who is blamed."""

import numpy as np
import pytest
from tiny_synthetic import CONFIG, LEARNED, TASK, learned_model, program, random_domain

from trainers.fractal.arms import FirstArm
from trainers.fractal.synthetic.competitors import budget_of, resample
from trainers.fractal.synthetic.data import examples
from trainers.fractal.synthetic.domain import SyntheticDomain
from trainers.fractal.synthetic.measure import localisation, measure, spoil
from trainers.fractal.synthetic.solver import fixes


@pytest.fixture(scope="module")
def measured():
    return measure(learned_model(), LEARNED, "validation", FirstArm(), seed=0)


def test_every_figure_has_an_n(measured):
    count = LEARNED.test_tasks
    for name in ("pass1", "pass_loop", "resample_equal_budget", "localisation_top1"):
        assert measured[name]["n"] == count
        assert 0 <= measured[name]["value"] <= 1
    assert sum(row["pass_loop"]["n"] for row in measured["by_length"]) == count
    assert measured["twice_as_long"]["roots"] == 2 * LEARNED.difficulty.max_roots
    assert measured["twice_as_long"]["pass_loop"]["n"] == count


def test_the_same_seed_measures_the_same(measured):
    assert measure(learned_model(), LEARNED, "validation", FirstArm(), seed=0) == measured


def test_repair_costs_less_than_resampling_once_something_was_learned(measured):
    assert measured["pass_loop"]["value"] >= measured["resample_equal_budget"]["value"]
    cost = measured["tokens_per_solved"]["value"]
    assert cost < measured["resample_tokens_per_solved"]["value"]


def test_localisation_learns_and_does_not_pass_the_analytic_solver():
    config = LEARNED.model_copy(update={"test_tasks": 150})
    found = localisation(SyntheticDomain(learned_model(), config), config, "validation", 150)
    several, ways = found["localisation"]["several_roots"], found["localisation"]
    assert several["sensitivity"]["value"] > 0.5 + 0.1
    assert ways["random"]["value"] < ways["sensitivity"]["value"]
    assert ways["analytic"]["value"] > 0.9


def test_a_spoiled_program_is_wrong_and_the_solver_knows_the_way_back():
    rng = np.random.default_rng(0)
    domain = random_domain()
    for one in examples(CONFIG.difficulty, "train", 50, seed=4):
        wrong, guilty = spoil(CONFIG.difficulty, one.program, rng)
        (judgement,) = domain.verify(one.task, [wrong])
        assert not judgement.passed
        assert (
            one.program.roots[guilty].operand in fixes(CONFIG.difficulty, one.task, wrong)[guilty]
        )


def test_the_solver_finds_every_single_fix_and_none_where_two_are_needed():
    assert fixes(CONFIG.difficulty, TASK, program("+ 6 * 2", "/ 3")) == {0: [5]}
    assert fixes(CONFIG.difficulty, TASK, program("+ 6 * 3", "/ 3")) == {}
    assert fixes(CONFIG.difficulty, TASK, program("+ 6 * 2", "/ 4")) == {}


def test_resampling_spends_the_loops_budget_and_no_call_beyond_it():
    domain, rng = random_domain(), np.random.default_rng(0)
    found = resample(domain, CONFIG, TASK, 2, rng)
    assert found.passed or found.tokens >= budget_of(CONFIG, TASK).tokens
    assert found.floods >= 1
