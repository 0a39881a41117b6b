"""Broken solutions: each fails a test, its repair is known, and the problem that it came from."""

import ast

import pytest

from memory.records import ProblemRow
from sandbox import Sandbox, from_asserts, tests_from_json, tests_to_json
from trainers.code_trainer.broken import broken_problems
from trainers.code_trainer.edits.judging import TestRunner
from trainers.code_trainer.edits.tree import form
from trainers.stage import Stopped
from trainers.tasks.swe.types import SWETask

PROGRAM = "def limit(value, top):\n    if value <= top:\n        return value\n    return top\n"
FIXES = [
    ("def f(a, b):\n    return a < b\n", "def f(a, b):\n    return a <= b\n"),
    ("def g(x):\n    return x + 1\n", "def g(x):\n    return x - 1\n"),
    ("def h(a, b):\n    return a\n", "def h(a, b):\n    return b\n"),
]


def problem(number: int) -> ProblemRow:
    tests = from_asserts(
        ["assert limit(2, 2) == 2", "assert limit(1, 5) == 1", "assert limit(9, 5) == 5"],
        entry_point="limit",
    )
    return ProblemRow(
        f"p/{number}", "p", "Limit a value.", "limit", "train", tests_to_json(tests), "0" * 64,
        reference=PROGRAM,
    )  # fmt: skip


def task(number: int, before: str, after: str) -> SWETask:
    return SWETask(f"t{number}", "r", "", {"a.py": before}, {"a.py": after}, split="train")


TASKS = [task(number, *one) for number, one in enumerate(FIXES)]


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(workers=1) as running:
        yield running


def made(sandbox, most: int, check_stop=lambda: None):
    problems = [problem(1), problem(2)]
    return list(broken_problems(problems, TASKS, sandbox, most=most, seed=3, check_stop=check_stop))


def test_a_broken_solution_fails_and_its_repair_is_the_solution(sandbox):
    found = made(sandbox, 4)
    assert found
    tests = tests_from_json(problem(1).tests)
    for one in found:
        example = one.example
        assert one.problem_id in ("p/1", "p/2")
        assert one.tests == tests
        assert example.program.source != PROGRAM
        assert not TestRunner(sandbox, tests)([example.program.source])[0].passed
        assert example.spectrum is not None
        assert len(example.paths) == 1

    assert {one.example.wanted for one in found} == {form(ast.parse(PROGRAM))}


def test_no_more_are_made_than_wanted_and_the_seed_decides_which(sandbox):
    assert made(sandbox, 0) == []
    assert len(made(sandbox, 1)) == 1
    sources = [[one.example.program.source for one in made(sandbox, 3)] for _ in range(2)]
    assert sources[0] == sources[1]


def test_it_stops_when_asked(sandbox):
    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        made(sandbox, 3, stop)
