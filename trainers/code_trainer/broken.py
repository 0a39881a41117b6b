"""Solutions of train problems, broken as people broke programs: the order of repair learns on them.

Fixes of repositories come without tests, so they cannot teach how far suspicious lines are to be
trusted, nor what is likely in a program of one function. Fixes read backwards make such programs.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from memory.records import ProblemRow
from sandbox import Sandbox, Tests, tests_from_json
from trainers.code_trainer.edits.injection import Injector, reversed_library
from trainers.code_trainer.edits.learning import Example
from trainers.code_trainer.edits.naturalness import Naturalness
from trainers.code_trainer.sources import by_hash
from trainers.tasks.swe.types import SWETask

MOST_REVERSED = 400
"""Fixes that are read backwards: more show few further ways to break a program."""


@dataclass(frozen=True)
class Broken:
    """A broken solution of a train problem, with the problem's tests."""

    problem_id: str
    example: Example
    tests: Tests


def broken_problems(
    problems: Sequence[ProblemRow],
    fixes: Sequence[SWETask],
    sandbox: Sandbox,
    naturalness: Naturalness | None = None,
    *,
    most: int,
    seed: int,
    check_stop: Callable[[], None],
) -> Iterator[Broken]:
    """Give at most so many examples; a solution is broken twice at most.

    Args:
        problems: of the train split.
        fixes: of train tasks, but not those whose patterns the order is learned for.
        sandbox: tells whether a test fails, and what is suspicious.
        naturalness: tells what looks like code.
        most: examples.
        seed: of what is drawn.
        check_stop: called between problems; may raise.
    """
    if not most:
        return
    chosen = sorted(fixes, key=lambda task: by_hash(task.task_id))[:MOST_REVERSED]
    injector = Injector(reversed_library(chosen), naturalness, seed=seed)
    made = 0
    for problem in sorted(problems, key=lambda one: by_hash(one.id)):
        if made >= most:
            return
        check_stop()
        if not problem.reference:
            continue
        tests = tests_from_json(problem.tests)
        for example in islice(injector.broken(problem.reference, tests, sandbox), most - made):
            made += 1
            yield Broken(problem.id, example, tests)
