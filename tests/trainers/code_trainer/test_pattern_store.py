"""Patterns in the store: mined once, recalled as the same library, from train tasks alone."""

import pytest

from memory.errors import SplitGuardError
from memory.store import Store
from trainers.code_trainer.edits.library import PatternLibrary
from trainers.code_trainer.pattern_store import mined_fixes, recall_library, remember_task
from trainers.tasks.swe.loading import to_row
from trainers.tasks.swe.types import SWETask


def fix(name: str, old: str, new: str, *, split: str = "train", date: float = 1.0) -> SWETask:
    before = f"def f(a, b):\n    if a {old} b:\n        return a\n    return b\n"
    return SWETask(
        name, "r", "issue", {"a.py": before}, {"a.py": before.replace(f"a {old} b", f"a {new} b")},
        split=split, base_date=date,
    )  # fmt: skip


TASKS = [fix("one", "<", "<=", date=1.0), fix("two", ">", ">=", date=5.0)]


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "kent.db") as opened:
        held = fix("held", "<", ">", split="test")
        opened.add_swe_tasks(to_row(task, "by hand") for task in [*TASKS, held])
        yield opened


def test_what_was_mined_comes_back_as_the_same_library(store):
    for task in TASKS:
        assert remember_task(store, task, None) > 0
    recalled, built = recall_library(store), PatternLibrary.build(TASKS)
    assert recalled.patterns.keys() == built.patterns.keys()
    assert recalled.counts == built.counts
    assert recalled.words == built.words
    assert recalled.dates == built.dates
    assert mined_fixes(store) == {"one", "two"}


def test_mining_again_changes_nothing(store):
    remember_task(store, TASKS[0], None)
    before = store.evidence()
    remember_task(store, TASKS[0], None)
    assert store.evidence() == before


def test_a_library_of_the_past_knows_only_earlier_fixes(store):
    for task in TASKS:
        remember_task(store, task, None)
    assert set(recall_library(store, before=2.0).tasks) == {"one"}


def test_a_test_task_is_never_mined(store):
    with pytest.raises(SplitGuardError):
        remember_task(store, fix("held", "<", ">", split="test"), None)
    assert mined_fixes(store) == set()
