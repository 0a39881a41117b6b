"""Work trees at the base commit: nothing later is in them, whoever looks, and however."""

import os
import subprocess

import pytest
from swe_files import Git

from trainers.errors import TaskError
from trainers.tasks.swe.checkout import check_out, reachable_objects, without_history
from trainers.tasks.swe.repository import GitTree
from trainers.tasks.swe.types import SWETask


def sh(folder, *arguments):
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def history(tmp_path):
    """A repository whose fix is tagged, branched, in the reflog and in a remote's branch."""
    git = Git(tmp_path / "origin")
    git.commit("first", {"a.py": "x = 1\n", "old.py": "y = 1\n"})
    base = git.commit("base", {"a.py": "x = 2\n"})
    fix = git.commit("fix", {"a.py": "x = 3  # the fix\n"})
    git("tag", "-a", "v1", "-m", "release", fix)
    git("branch", "later", fix)
    git("remote", "add", "origin", "https://example.invalid/o/r")
    git("update-ref", "refs/remotes/origin/main", fix)
    return git.folder, base, fix


def test_the_tree_is_the_base_commits(history, tmp_path):
    repository, base, _ = history
    folder = check_out(repository, base, tmp_path / "work")
    assert (folder / "a.py").read_text() == "x = 2\n"
    assert (folder / "old.py").exists()
    assert sh(folder, "rev-parse", "HEAD")[1].strip() == base
    assert sh(folder, "status", "--porcelain")[1] == ""


def test_nothing_after_the_base_commit_can_be_reached(history, tmp_path):
    repository, base, fix = history
    folder = check_out(repository, base, tmp_path / "work", hidden=[fix])
    blob = sh(repository, "rev-parse", f"{fix}:a.py")[1].strip()
    tag = sh(repository, "rev-parse", "v1")[1].strip()
    for thing in (fix, blob, tag):
        assert sh(folder, "cat-file", "-e", thing)[0] != 0
        assert thing not in reachable_objects(folder)
    assert sh(folder, "tag")[1] == ""
    assert sh(folder, "remote")[1] == ""
    assert sh(folder, "reflog", "--all")[1] == ""
    assert sh(folder, "branch", "--all", "--format=%(refname)")[1].split() == ["refs/heads/base"]
    assert sh(folder, "log", "--all", "--format=%H")[1].split() == [base]
    assert sh(folder, "fsck", "--lost-found")[1].count("commit") == 0
    texts = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert not any(fix.encode() in text or b"the fix" in text for text in texts)
    assert not (folder / ".git" / "objects" / "info" / "alternates").exists()


def test_a_commit_that_was_left_in_is_refused(history, tmp_path):
    repository, base, fix = history
    with pytest.raises(TaskError, match="holds more than its base commit"):
        check_out(repository, base, tmp_path / "work", hidden=[fix, base])


def test_a_commit_that_is_not_there_is_one_line(history, tmp_path):
    repository, _, _ = history
    with pytest.raises(TaskError, match="gives no work tree of"):
        check_out(repository, "0" * 40, tmp_path / "work")


def test_a_solver_gets_a_work_tree_in_the_place_of_a_clone(history, tmp_path):
    repository, base, fix = history
    clone = SWETask("t", "o/r", "issue", {}, {}, tree=GitTree(repository, base))
    shown = without_history(clone, tmp_path / "work")
    assert shown.tree.text("a.py") == "x = 2\n"
    assert shown.tree.files().keys() == clone.tree.files().keys()
    assert shown.tree.recency() == clone.tree.recency()
    assert sh(tmp_path / "work", "cat-file", "-e", fix)[0] != 0
    program = SWETask("p", "o/r", "issue", {}, {})
    assert without_history(program, tmp_path / "other") is program
