"""The loop's promises, on the synthetic domain with random weights and with learned ones."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_synthetic import CONFIG, LEARNED, TASK, learned_model, program, random_domain

from memory.hologram.circuits import CircuitObserver
from trainers.fractal.arms import CircuitChooser, FirstArm
from trainers.fractal.loop import Budget, Loop, LoopSettings
from trainers.fractal.synthetic.data import examples
from trainers.fractal.synthetic.domain import SyntheticDomain
from trainers.fractal.synthetic.programs import ChainProgram

TASKS = [one.task for one in examples(CONFIG.difficulty, "validation", 30, seed=9)]


@dataclass
class Watched:
    """The domain, with a list of what was judged and of what each render cost."""

    inner: SyntheticDomain
    judged: list[str] = field(default_factory=list)
    costs: list[int] = field(default_factory=list)

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def render(self, task, programs, rng):
        rendered = self.inner.render(task, programs, rng)
        self.costs.append(sum(one.tokens for one in rendered))
        return rendered

    def verify(self, task, programs):
        self.judged += [one.text for one in programs]
        return self.inner.verify(task, programs)


def run(task, budget=200, seed=0, domain=None, chooser=None, wide=None, **begin):
    watched = Watched(domain or random_domain())
    wide = wide or LoopSettings(flood=3, local=3, tries=3)
    loop = Loop(watched, chooser or FirstArm(), wide)
    outcome = loop.run(task, Budget(budget), np.random.default_rng(seed), **begin)
    return outcome, watched


anything = {
    "task": st.sampled_from(TASKS),
    "budget": st.integers(1, 250),
    "seed": st.integers(0, 2**31),
}


@settings(max_examples=12, deadline=None)
@given(**anything)
def test_no_call_begins_beyond_the_budget_and_every_token_is_counted(task, budget, seed):
    outcome, watched = run(task, budget, seed)
    assert outcome.tokens == sum(watched.costs) == sum(step.tokens for step in outcome.steps)
    assert sum(watched.costs[:-1]) < budget


@settings(max_examples=12, deadline=None)
@given(**anything)
def test_no_program_is_judged_twice(task, budget, seed):
    outcome, watched = run(task, budget, seed)
    assert len(watched.judged) == len(set(watched.judged)) == len(outcome.tried)


@settings(max_examples=12, deadline=None)
@given(**anything)
def test_the_best_that_was_ever_made_is_kept(task, budget, seed):
    outcome, _ = run(task, budget, seed)
    best = outcome.best.judgement
    assert best.score == max(one.judgement.score for one in outcome.tried)
    assert best.passed == outcome.passed == any(one.judgement.passed for one in outcome.tried)


@settings(max_examples=6, deadline=None)
@given(**anything)
def test_the_seed_fixes_the_run(task, budget, seed):
    first, again = run(task, budget, seed)[0], run(task, budget, seed)[0]
    assert first.steps == again.steps
    assert [one.program for one in first.tried] == [one.program for one in again.tried]


@settings(max_examples=12, deadline=None)
@given(**anything)
def test_a_patch_leaves_every_stage_but_the_guilty_one_as_it_was(task, budget, seed):
    outcome, _ = run(task, budget, seed)
    for one in outcome.tried:
        if one.arm in ("local", "reroot", "restage"):
            base = outcome.tried[one.base].program
            pairs = zip(base.stages, one.program.stages, strict=True)
            assert sum(before != after for before, after in pairs) == 1


def test_it_ends_with_the_first_program_that_passes():
    right = program("+ 5 * 2", "/ 3")
    outcome, watched = run(TASK, flooded=[program("+ 6 * 2", "/ 3"), right], spent=7)
    assert (outcome.passed, outcome.first_pass, outcome.tokens) == (True, True, 7)
    assert outcome.best.program == right
    assert watched.costs == []


def test_a_program_is_patched_no_more_often_than_asked_and_then_the_loop_ends():
    wide = LoopSettings(flood=2, local=1, tries=1)
    outcome, _ = run(TASK, budget=10**9, wide=wide, flooded=[program("+ 6 * 2", "/ 5")])
    assert all(one.patched <= 1 for one in outcome.tried)


def test_nothing_in_nothing_out():
    outcome, _ = run(TASK, flooded=list[ChainProgram]())
    assert (outcome.best, outcome.passed, outcome.tried) == (None, False, [])


def test_a_stop_that_was_asked_for_ends_it():
    class Stop(Exception):
        pass

    def stop():
        raise Stop

    loop = Loop(random_domain(), FirstArm(), LoopSettings(2, 1, 2), check_stop=stop)
    with pytest.raises(Stop):
        loop.run(
            TASK, Budget(10_000), np.random.default_rng(0), flooded=[program("+ 6 * 2", "/ 5")]
        )


def test_what_the_chooser_learns_are_the_patches_that_were_made():
    chooser = CircuitChooser("synthetic", CircuitObserver())
    outcome, _ = run(TASK, budget=300, chooser=chooser)
    patches = [(step.arm, step.tokens, step.passed) for step in outcome.steps[1:]]
    assert [(one.arm, one.tokens, one.passed) for one in chooser.learned] == patches


def test_with_a_model_that_learned_repair_solves_more_than_the_flood_alone():
    domain = SyntheticDomain(learned_model(), LEARNED)
    outcomes = [run(task, 300, number, domain)[0] for number, task in enumerate(TASKS)]
    first = sum(outcome.first_pass for outcome in outcomes)
    assert sum(outcome.passed for outcome in outcomes) > first + len(TASKS) // 5
