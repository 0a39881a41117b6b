"""The second look: the same candidates in a better order, learned, kept in a folder."""

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

import pytest

from sandbox import Sandbox, from_asserts
from trainers.code_trainer.edits.injection import Injector, reversed_library
from trainers.code_trainer.edits.judging import PATIENCE, TestRunner
from trainers.code_trainer.edits.library import PatternLibrary
from trainers.code_trainer.edits.look_learning import fit_second_look, look
from trainers.code_trainer.edits.naturalness import Naturalness
from trainers.code_trainer.edits.priors import Priors
from trainers.code_trainer.edits.program import Program
from trainers.code_trainer.edits.ranking import Ranking
from trainers.code_trainer.edits.search import MOST_PATIENCE
from trainers.code_trainer.edits.second_look import NAMES, START, SecondLook
from trainers.code_trainer.edits.splice import NoText
from trainers.errors import CheckpointError
from trainers.tasks.swe.types import SWETask

RIGHT = """def inside(low, x, high):
    count = 0
    if low <= x and x <= high:
        count = count + 1
    return count
"""
TESTS = from_asserts(
    ["assert inside(1, 1, 3) == 1", "assert inside(1, 3, 3) == 1", "assert inside(1, 4, 3) == 0",
     "assert inside(1, 0, 3) == 0", "assert inside(1, 2, 3) == 1"],
    entry_point="inside",
)  # fmt: skip
FIXES = [
    ("def f(a, b):\n    return a < b\n", "def f(a, b):\n    return a <= b\n"),
    ("def f(a, b):\n    return a > b\n", "def f(a, b):\n    return a >= b\n"),
    ("def g(x):\n    return x + 1\n", "def g(x):\n    return x - 1\n"),
    ("def h(a, b):\n    return a\n", "def h(a, b):\n    return b\n"),
    ("def k(a):\n    return a\n", "def k(a):\n    return a + 1\n"),
]


@pytest.fixture(scope="module")
def ranking() -> Ranking:
    return Ranking(PatternLibrary.build(_tasks()), Priors())


@pytest.fixture(scope="module")
def naturalness() -> Naturalness:
    return Naturalness.fit([RIGHT.replace("inside", f"inside{n}") for n in range(40)])


def _written(ranking: Ranking, program: Program) -> Iterator[str]:
    for made in ranking.ordered(program):
        with suppress(NoText):
            yield made.text


def _tasks() -> list[SWETask]:
    return [
        SWETask(f"t{number}", "r", "", {"a.py": before}, {"a.py": after}, split="train")
        for number, (before, after) in enumerate(FIXES)
    ]


def test_it_gives_the_candidates_of_the_first_order_each_once(ranking, naturalness):
    program = Program(RIGHT.replace("x <= high", "x < high"))
    first = list(_written(ranking, program))
    for window in (1, 7, 10_000):
        second = SecondLook(naturalness, {"score": 0.5, "surface.gain": 1.0}, window)
        found = [made.text for made in second.ordered(program, ranking.ordered(program))]
        assert sorted(found) == sorted(first)
    alike = SecondLook(naturalness, {"score": 1.0}, 5)
    assert [made.text for made in alike.ordered(program, ranking.ordered(program))] == first


def test_what_looks_like_code_seen_before_comes_first(ranking, naturalness):
    program = Program(RIGHT.replace("x <= high", "x < high"))
    second = SecondLook(naturalness, {"surface.gain": 1.0}, 10_000)
    best = next(second.ordered(program, ranking.ordered(program)))
    assert best.text == RIGHT


def test_the_weights_are_learned_from_what_passes(ranking, naturalness):
    with Sandbox(workers=1) as sandbox:
        injector = Injector(reversed_library(_tasks()), seed=1)
        runner = TestRunner(sandbox, TESTS)
        broken = list(injector.broken(RIGHT, TESTS, sandbox, count=4))
        looks = [look(one, ranking, naturalness, runner, most=200) for one in broken]
    seen = [one for one in looks if one is not None]
    assert seen
    assert all(one.rows.shape == (len(one.right), len(NAMES)) for one in seen)
    none = fit_second_look(naturalness, [])
    assert none.weights == START
    learned = fit_second_look(naturalness, seen * 20)
    assert sum(map(_place(learned), seen)) <= sum(map(_place(none), seen))


def test_a_program_that_takes_long_passes_with_more_patience():
    """Batches and limits are of as many patiences; what is cut with little passes with the most."""
    assert len(PATIENCE) == MOST_PATIENCE + 1
    wait = "import time\nwhile time.process_time() < 0.4:\n    pass\n"
    with Sandbox(workers=1) as sandbox:
        runner = TestRunner(sandbox, TESTS)
        found = [runner([wait + RIGHT], patience)[0] for patience in range(MOST_PATIENCE + 1)]
    assert [(one.passed, one.slow) for one in found] == [
        (False, True),
        (False, True),
        (True, False),
    ]


def _place(second: SecondLook):
    weights = [second.weights.get(name, 0.0) for name in NAMES]

    def place(one) -> int:
        order = sorted(range(len(one.right)), key=lambda row: -(one.rows[row] @ weights))
        return next(number for number, row in enumerate(order) if one.right[row])

    return place


def test_broken_programs_that_look_like_code_are_preferred(naturalness):
    with Sandbox(workers=1) as sandbox:
        gains = []
        for guide in (None, naturalness):
            injector = Injector(reversed_library(_tasks()), guide, seed=1)
            made = list(islice(injector.broken(RIGHT, TESTS, sandbox, count=1), 1))
            change = naturalness.change(RIGHT, made[0].program.source)
            gains.append(change["surface.new"] + change["structure.new"])
    assert gains[1] >= gains[0]


def test_it_is_kept_in_a_folder_and_damage_is_said(tmp_path, naturalness):
    second = SecondLook(naturalness, {"score": 0.6, "unset.names": -2.0}, 30)
    second.save(tmp_path / "look")
    again = SecondLook.load(tmp_path / "look")
    assert (again.weights, again.window) == (second.weights, 30)
    weights = tmp_path / "look" / "weights.json"
    for damaged in ("", "{}", json.dumps({"window": 3, "weights": {"other": 1.0}})):
        weights.write_text(damaged)
        with pytest.raises(CheckpointError, match="second look"):
            SecondLook.load(tmp_path / "look")
