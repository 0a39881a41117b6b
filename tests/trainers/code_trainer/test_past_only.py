"""A repository's task is told nothing of later fixes, and is offered what its issue quotes."""

from dataclasses import replace

import pytest
from code_rounds import SETTINGS
from small_repository import FILES, task

from memory.hologram.container import HologramContainer
from sandbox import Sandbox
from trainers.code_trainer.edits.library import PatternLibrary
from trainers.code_trainer.edits.priors import Priors
from trainers.code_trainer.knowledge import Knowledge
from trainers.code_trainer.solver import Solver

TAX = ("shop/prices.py", "(1 + RATE)", "(1 - RATE)")
ISSUE = "add_tax adds too little\n\nThe price of `add_tax` is wrong in shop/prices.py."
OLD, NEW = 1000.0, 2000.0


def knowledge(*dates: float | None) -> Knowledge:
    """What is known of one fix at each of these dates."""
    library = PatternLibrary()
    for number, date in enumerate(dates):
        fix = task(number, "a sum is a difference", *TAX, date=0.0)
        library.add_task(replace(fix, base_date=date))
    return Knowledge(HologramContainer(None, 1000, 0), library, Priors())


def proposed(known: Knowledge, date: float | None, issue: str = ISSUE) -> list[dict[str, object]]:
    """The evidence of what is proposed for an issue of a date."""
    asked = replace(task(9, issue, *TAX, date=0.0), base_date=date)
    with Sandbox(workers=1) as sandbox:
        solution = Solver(known, sandbox, SETTINGS.code, seed=0).solve(asked)
    return list(solution.evidence["proposals"])


@pytest.mark.parametrize(
    ("asked", "seen"), [(OLD, {"1"}), (OLD + 1, {"0", "1"}), (3000.0, {"0", "1", "2"})]
)
def test_only_earlier_fixes_and_those_without_a_date_are_known(asked, seen):
    library = knowledge(OLD, None, NEW).past(asked)
    assert {name.rpartition("-")[2] for name in library.tasks} == seen


def test_without_a_date_all_is_known():
    assert len(knowledge(OLD, NEW).past(None).tasks) == 2


def test_a_later_fix_gives_no_pattern():
    assert proposed(knowledge(NEW), OLD) == []
    (first, *_) = proposed(knowledge(OLD), NEW)
    assert "pattern" in first


def test_what_the_issue_quotes_comes_first():
    line = "return price * (1 + RATE)"
    issue = f"{ISSUE}\n`{line}` should be `{line.replace('+ RATE', '+ RATE / 100')}`."
    assert line in FILES["shop/prices.py"]
    first, *others = proposed(knowledge(OLD), NEW, issue)
    assert first["quoted"] == "return price * (1 + RATE / 100)"
    assert any("pattern" in one for one in others)
