"""The search: what is cut at first is run again, and time that tells nothing is not spent."""

from collections.abc import Sequence

import pytest

from trainers.code_trainer.edits.library import PatternLibrary
from trainers.code_trainer.edits.priors import Priors
from trainers.code_trainer.edits.program import Program
from trainers.code_trainer.edits.ranking import Ranking
from trainers.code_trainer.edits.search import MOST_PATIENCE, Budget, Outcome, search
from trainers.tasks.swe.types import SWETask

PROGRAM = "def f(a, b):\n    return a < b\n"
RIGHT = "def f(a, b):\n    return a <= b\n"
FIX = SWETask("t", "r", "", {"a.py": "x = a < b\n"}, {"a.py": "x = a <= b\n"}, split="train")
BUDGET = Budget(candidates=200, seconds=60, pairs=50)


def order(program: Program):
    return Ranking(PatternLibrary.build([FIX]), Priors()).ordered(program)


class Runner:
    """Knows the right program; ``slow``: what is cut where it gets less ``patience``."""

    def __init__(self, slow: Sequence[str] = (), patience: int = 1) -> None:
        self.slow, self.patience = slow, patience
        self.runs: list[tuple[int, int]] = []

    def __call__(self, texts: Sequence[str], patience: int) -> list[Outcome]:
        self.runs.append((patience, len(texts)))
        return [self._one(text, patience) for text in texts]

    def _one(self, text: str, patience: int) -> Outcome:
        if patience < self.patience and text in self.slow:
            return Outcome(False, slow=True)
        return Outcome(text == RIGHT)


@pytest.mark.parametrize("patience", [1, 2])
def test_a_right_program_that_takes_long_is_found_at_the_end(patience):
    runner = Runner([RIGHT], patience)
    found = search(Program(PROGRAM), order, runner, BUDGET)
    assert found.found is not None
    assert found.found.text == RIGHT
    assert found.candidates_tried == sum(count for given, count in runner.runs[1:] if not given)
    assert runner.runs[-1] == (patience, 1)


@pytest.mark.parametrize("patience", [1, 2])
def test_where_the_program_itself_takes_long_and_ends_all_get_their_time(patience):
    runner = Runner([PROGRAM, RIGHT], patience)
    found = search(Program(PROGRAM), order, runner, BUDGET)
    assert found.found is not None
    assert [given for given, _ in runner.runs[: patience + 1]] == list(range(patience + 1))
    assert {given for given, _ in runner.runs[patience + 1 :]} == {patience}


def test_a_program_that_never_ends_does_not_give_its_candidates_time():
    runner = Runner([PROGRAM], patience=MOST_PATIENCE + 1)
    found = search(Program(PROGRAM), order, runner, BUDGET)
    assert found.found is not None
    assert found.found.text == RIGHT
    assert {given for given, _ in runner.runs[MOST_PATIENCE + 1 :]} == {0}
