"""The files of a folder as they are now: with git those that it does not ignore, without it all."""

import subprocess

import pytest

from trainers.errors import TaskError
from trainers.tasks.swe.working_tree import WorkingTree


def write(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path = path.with_name(path.name.replace("_py", ".py"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def git(folder, *arguments):
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def test_tests_and_folders_aside_are_left_out(tmp_path):
    write(tmp_path, a_py="x = 1\n", pkg__b_py="y = 2\n", tests__test_a_py="", build__c_py="")
    tree = WorkingTree(tmp_path)
    assert set(tree.files()) == {"a.py", "pkg/b.py"}
    assert tree.text("pkg/b.py") == "y = 2\n"
    assert tree.recency() == {}


def test_in_a_repository_what_is_new_counts_and_what_is_ignored_does_not(tmp_path):
    git(tmp_path, "init", "-q")
    write(tmp_path, a_py="x = 1\n", made_py="z = 3\n")
    (tmp_path / ".gitignore").write_text("made.py\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "-c", "user.name=n", "-c", "user.email=e@x", "commit", "-qm", "first")
    write(tmp_path, new_py="w = 4\n")
    tree = WorkingTree(tmp_path)
    assert set(tree.files()) == {"a.py", "new.py"}
    assert set(tree.recency()) == {"a.py"}


def test_the_content_id_follows_the_text(tmp_path):
    write(tmp_path, a_py="x = 1\n", b_py="x = 1\n")
    first = WorkingTree(tmp_path).files()
    assert first["a.py"] == first["b.py"]
    write(tmp_path, a_py="x = 2\n")
    assert WorkingTree(tmp_path).files()["a.py"] != first["a.py"]


def test_a_folder_without_python_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(TaskError, match="no Python file"):
        WorkingTree(tmp_path)
    with pytest.raises(TaskError, match="no folder"):
        WorkingTree(tmp_path / "absent")
