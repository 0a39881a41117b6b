"""``kent solve --repo``: a diff that git takes, its reasons, and one clear line for bad input."""

import subprocess

import pytest

from kent.config import KentConfig
from kent.errors import ConfigError
from kent.solve_repo import solve_repository
from memory.store import Store
from trainers.code_trainer.pattern_store import remember_task
from trainers.errors import TaskError
from trainers.tasks.swe.loading import to_row
from trainers.tasks.swe.types import SWETask

CODE = (
    "def last_index(values, top):\n    if top < len(values):\n        return top\n    return None\n"
)
ISSUE = (
    "last_index gives None at the end\n\n`last_index(values, len(values))` must give the length."
)


def fix(number: int) -> SWETask:
    before = f"def f{number}(a, b):\n    if a < b:\n        return a\n    return b\n"
    return SWETask(
        f"fix/{number}", "r", "", {"a.py": before}, {"a.py": before.replace("<", "<=")},
        split="train",
    )  # fmt: skip


@pytest.fixture
def config(tmp_path):
    state = tmp_path / "state"
    with Store.open(state / "kent.db") as store:
        tasks = [fix(number) for number in range(3)]
        store.add_swe_tasks(to_row(task, "by hand") for task in tasks)
        for task in tasks:
            remember_task(store, task, None)
    return KentConfig(state_dir=state)


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repo"
    (folder / "pkg").mkdir(parents=True)
    (folder / "pkg" / "ends.py").write_text(CODE)
    (folder / "pkg" / "other.py").write_text("def unrelated():\n    return 1\n")
    subprocess.run(["git", "init", "-q", folder], check=True)
    return folder


def test_the_patch_applies_and_says_where_it_came_from(config, repository):
    found = solve_repository(config, repository, ISSUE, lambda line: None)
    assert found.solution.files[0] == "pkg/ends.py"
    assert set(found.past) <= {"fix/0", "fix/1", "fix/2"}
    applied = subprocess.run(
        ["git", "-C", repository, "apply", "-"],
        input=found.diff.encode(),
        capture_output=True,
        check=False,
    )
    assert applied.returncode == 0, applied.stderr
    assert (repository / "pkg" / "ends.py").read_text() != CODE
    text = "\n".join(found.lines())
    for word in ("where:", "pkg/ends.py: last_index", "pattern:", "seen in:", "against it:"):
        assert word in text
    assert "P(the first file" not in text  # nothing was learned that could say so
    assert found.to_json()["diff"] == found.diff


def test_nothing_in_the_repository_is_changed(config, repository):
    solve_repository(config, repository, ISSUE, lambda line: None)
    assert (repository / "pkg" / "ends.py").read_text() == CODE


def test_bad_input_gets_one_clear_line(config, repository, tmp_path):
    with pytest.raises(ConfigError, match="the issue is empty"):
        solve_repository(config, repository, " \n", print)
    (tmp_path / "bare").mkdir()
    with pytest.raises(TaskError, match="no Python file"):
        solve_repository(config, tmp_path / "bare", ISSUE, print)
    with pytest.raises(ConfigError, match="nothing was learned yet"):
        solve_repository(KentConfig(state_dir=tmp_path / "none"), repository, ISSUE, print)


def test_a_file_that_does_not_parse_is_passed_over(config, repository):
    (repository / "pkg" / "broken.py").write_text("def last_index(:\n    values top length None\n")
    found = solve_repository(config, repository, ISSUE, lambda line: None)
    assert "pkg/broken.py" in found.solution.files
    assert found.diff
