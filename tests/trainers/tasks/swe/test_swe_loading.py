"""A task comes back from the store as it was, and its tree is found where it lies."""

import shutil
from dataclasses import replace

import pytest
from swe_files import Git, record, shared_folder

from memory.store import Store
from trainers.errors import TaskError
from trainers.tasks.swe.loading import CACHE, from_row, load_tasks, to_row, to_rows
from trainers.tasks.swe.mining import mine
from trainers.tasks.swe.shared import read_records, read_swe
from trainers.tasks.swe.types import Judge, SWETask


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "state" / "kent.db") as store:
        yield store


def contents(task):
    return {path: task.tree.text(path) for path in task.tree.files()}


def test_a_shared_task_comes_back_with_its_tree(store, tmp_path):
    tasks = list(read_swe(shared_folder(tmp_path / "data"), cache=tmp_path / "other"))
    assert store.add_swe_tasks(to_rows(tasks, "a rule")) == 3
    again = list(load_tasks(store))
    assert [replace(task, tree=None) for task in again] == [replace(t, tree=None) for t in tasks]
    assert [contents(task) for task in again] == [contents(task) for task in tasks]
    assert again[0].tree.recency() == {"pkg/a.py": 2.5}
    assert len(list((tmp_path / "state" / CACHE).iterdir())) == 1
    assert store.add_swe_tasks(to_rows(again, "a rule")) == 0
    assert next(store.swe_tasks()).rule == "a rule"


def test_a_task_with_its_own_code_for_a_tree_comes_back(store):
    [task] = read_records([("here", record("t-1"))])
    store.add_swe_tasks([to_row(task, "r")])
    [again] = load_tasks(store, ids=["t-1"])
    assert contents(again) == task.code_before
    assert replace(again, tree=None) == replace(task, tree=None)


def test_a_program_has_no_tree(store):
    judge = Judge("program", visible={"mode": "data"}, hidden={"calls": [{"~tuple": [1]}]})
    task = SWETask("q/1", "r", "issue", {"a.py": "1"}, {"a.py": "2"}, "quixbugs", judge=judge)
    store.add_swe_tasks([to_row(task, "r")])
    assert list(load_tasks(store, split="test", source="quixbugs")) == [task]
    assert list(load_tasks(store, split="train")) == []


def test_a_mined_task_is_read_from_its_repository_and_told_when_that_is_gone(store, tmp_path):
    git = Git(tmp_path / "project")
    git.commit("Begin", {"pkg/a.py": "def f(x):\n    return x\n"})
    git.fix(1)
    tasks = mine(git.folder)
    store.add_swe_tasks(to_rows(tasks, "r"))
    [again] = load_tasks(store)
    assert contents(again) == {"pkg/a.py": "def f(x):\n    return x\n"}
    assert again.tree.recency() == tasks[0].tree.recency()
    shutil.move(git.folder, tmp_path / "moved")
    from trainers.tasks.swe.repository import open_repository

    open_repository.cache_clear()
    [later] = load_tasks(store)  # the others of the store go on
    with pytest.raises(TaskError, match="project does not exist"):
        later.tree.files()


def test_a_tree_of_a_newer_kind_is_told(tmp_path):
    [task] = read_records([("here", record("t-1"))])
    row = replace(to_row(task, "r"), trees={"kind": "cloud"})
    with pytest.raises(Exception, match="unknown kind; update KENT"):
        from_row(row)
