"""Repair of programs in the real sandbox: the learned order, the outcomes, what biases it."""

import pytest

from memory.hologram.circuits import CircuitObserver
from memory.hologram.constraints import ConstraintAccumulator
from memory.repair_records import Source
from sandbox import Sandbox, from_asserts, tests_to_json
from trainers.code_trainer.edits.library import PatternLibrary
from trainers.code_trainer.edits.priors import Priors
from trainers.code_trainer.edits.ranking import Ranking
from trainers.code_trainer.edits.search import Budget
from trainers.code_trainer.program_repair import (
    Bias,
    ProgramRepairer,
    learned_order,
    untrained_order,
)
from trainers.errors import TaskError
from trainers.tasks.swe.types import Judge, SWETask

FIXES = [
    ("def f(a):\n    return a + 1\n", "def f(a):\n    return a - 1\n"),
    (
        "def g(b):\n    if b < 2:\n        return b\n",
        "def g(b):\n    if b <= 2:\n        return b\n",
    ),
    ("def h(c, n):\n    return c + n\n", "def h(c, n):\n    return c - n\n"),
    ("def k(c, n):\n    return c < n\n", "def k(c, n):\n    return c <= n\n"),
]


def fix(number: int, before: str, after: str) -> SWETask:
    return SWETask(f"t{number}", "r", "", {"a.py": before}, {"a.py": after}, split="train")


LIBRARY = PatternLibrary.build(fix(number, *one) for number, one in enumerate(FIXES))
BROKEN = "def rest(total, part):\n    return total + part\n"


def broken(visible: str, hidden: str, program: str = BROKEN) -> SWETask:
    judge = Judge(
        "program",
        tests_to_json(from_asserts([visible])),
        tests_to_json(from_asserts([hidden])),
    )
    return SWETask("rest", "r", "", {"rest.py": program}, {"rest.py": "unseen"}, judge=judge)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(workers=1) as running:
        yield running


def repairer(sandbox, bias=None) -> ProgramRepairer:
    ranking = Ranking(LIBRARY, Priors(), reweigh=bias)
    return ProgramRepairer(sandbox, Budget(candidates=400, seconds=20), learned_order(ranking))


def test_a_program_is_repaired_by_a_pattern_of_other_fixes(sandbox):
    task = broken("assert rest(5, 2) == 3", "assert rest(9, 1) == 8")
    found = repairer(sandbox).repair(task)
    assert found.outcome == "resolved"
    assert found.text == BROKEN.replace("+", "-")
    assert found.evidence["edits"][0]["function"] == "rest"
    won = [one for one in found.attempts if one.partial_score == 1]
    assert [one.key.operator for one in won] == [found.evidence["edits"][0]["pattern"]]


def test_a_repair_that_only_the_visible_test_takes_is_overfitted(sandbox):
    task = broken("assert rest(0, 0) == 0 and rest(2, 0) == 2", "assert rest(9, 1) == 8")
    assert (
        repairer(sandbox).repair(task).outcome == "unrepaired"
    )  # nothing fails: nothing to search
    task = broken("assert rest(4, 2) == 2", "assert rest(9, 1) == 7")
    assert repairer(sandbox).repair(task).outcome == "overfitted"


def test_what_does_not_parse_is_told_and_nothing_is_run(sandbox):
    task = broken("assert rest(5, 2) == 3", "assert rest(9, 1) == 8", "def rest(:\n")
    found = repairer(sandbox).repair(task)
    assert found.outcome == "failed"
    assert "does not parse" in found.notes[0]


def test_a_task_without_visible_tests_is_refused(sandbox):
    task = SWETask("x", "r", "", {"a.py": ""}, {}, judge=Judge("program"))
    with pytest.raises(TaskError, match="no program of one file with visible tests"):
        repairer(sandbox).repair(task)


def test_the_untrained_order_has_the_same_candidates(sandbox):
    task = broken("assert rest(5, 2) == 3", "assert rest(9, 1) == 8")
    budget = Budget(candidates=400, seconds=20)
    found = ProgramRepairer(sandbox, budget, untrained_order(LIBRARY, seed=1)).repair(task)
    assert found.outcome == "resolved"


def test_failures_bias_the_order_away_and_success_brings_it_back(sandbox):
    task = broken("assert rest(5, 2) == 3", "assert rest(9, 1) == 8")
    observer, constraints = CircuitObserver(), ConstraintAccumulator()
    constraints.set_circuit_observer(observer)
    first = repairer(sandbox).repair(task)
    (won,) = [one.key for one in first.attempts if one.partial_score == 1]
    plain = Bias(LIBRARY, observer, constraints)(won.context, won.operator)
    failed = [one for one in first.attempts if one.key != won]
    constraints.record(failed, Source(task_id="t1"))
    assert (
        Bias(LIBRARY, observer, constraints)(failed[0].key.context, failed[0].key.operator) < plain
    )
    again = repairer(sandbox, Bias(LIBRARY, observer, constraints)).repair(task)
    assert again.result.candidates_tried <= first.result.candidates_tried
    constraints.record(first.attempts, Source(task_id="t2"))
    assert Bias(LIBRARY, observer, constraints)(won.context, won.operator) > 0
    assert "failed" in Bias(LIBRARY, observer, constraints).reasons(
        failed[0].key.context, failed[0].key.operator
    )
