"""The search: what is cut at first is run again, and time that tells nothing is not spent."""

from collections.abc import Sequence

from trainers.code_trainer.edits.library import PatternLibrary
from trainers.code_trainer.edits.priors import Priors
from trainers.code_trainer.edits.program import Program
from trainers.code_trainer.edits.ranking import Ranking
from trainers.code_trainer.edits.search import Budget, Outcome, search
from trainers.tasks.swe.types import SWETask

PROGRAM = "def f(a, b):\n    return a < b\n"
RIGHT = "def f(a, b):\n    return a <= b\n"
FIX = SWETask("t", "r", "", {"a.py": "x = a < b\n"}, {"a.py": "x = a <= b\n"}, split="train")
BUDGET = Budget(candidates=200, seconds=60, pairs=50)


def order(program: Program):
    return Ranking(PatternLibrary.build([FIX]), Priors()).ordered(program)


class Runner:
    """Knows the right program; ``slow``: what is cut when it is run in haste."""

    def __init__(self, slow: Sequence[str] = (), endless: Sequence[str] = ()) -> None:
        self.slow, self.endless = slow, endless
        self.runs: list[tuple[bool, int]] = []

    def __call__(self, texts: Sequence[str], *, hasty: bool = False) -> list[Outcome]:
        self.runs.append((hasty, len(texts)))
        return [self._one(text, hasty) for text in texts]

    def _one(self, text: str, hasty: bool) -> Outcome:
        if text in self.endless or (hasty and text in self.slow):
            return Outcome(False, slow=True)
        return Outcome(text == RIGHT)


def test_a_right_program_that_takes_long_is_found_at_the_end():
    runner = Runner(slow=[RIGHT])
    found = search(Program(PROGRAM), order, runner, BUDGET)
    assert found.found is not None
    assert found.found.text == RIGHT
    assert found.candidates_tried == sum(count for hasty, count in runner.runs[1:] if hasty)
    assert runner.runs[-1][0] is False


def test_where_the_program_itself_takes_long_and_ends_all_get_their_time():
    runner = Runner(slow=[PROGRAM, RIGHT])
    found = search(Program(PROGRAM), order, runner, BUDGET)
    assert found.found is not None
    assert [hasty for hasty, _ in runner.runs[:2]] == [True, False]
    assert not any(hasty for hasty, _ in runner.runs[2:])


def test_a_program_that_never_ends_does_not_give_its_candidates_time():
    runner = Runner(endless=[PROGRAM])
    found = search(Program(PROGRAM), order, runner, BUDGET)
    assert found.found is not None
    assert found.found.text == RIGHT
    assert all(hasty for hasty, _ in runner.runs[2:])
