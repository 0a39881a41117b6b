"""A work tree at a task's base commit from which no later commit can be reached.

A solver that finds the fix in the repository's history has solved nothing. So the base commit is
fetched by its id, alone and without its parents' objects, into a repository of its own: it has no
remote, no tag, no other branch, no reflog and no object that the base commit does not name. That
this is so is asked of git before the tree is given out.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import git
from git.exc import GitCommandError

from trainers.errors import TaskError
from trainers.tasks.swe.repository import GitTree
from trainers.tasks.swe.types import SWETask
from trainers.tasks.swe.working_tree import WorkingTree

_LEFTOVERS = ("FETCH_HEAD", "ORIG_HEAD", "logs", "packed-refs", "config.worktree")


def check_out(repository: Path, commit: str, folder: Path, *, hidden: Sequence[str] = ()) -> Path:
    """Make the work tree of a commit in ``folder``, which is made anew.

    Args:
        repository: a local one that has the commit; it is only read.
        commit: the id of the base commit.
        folder: where the tree is to be.
        hidden: commits, such as the fix, that must not be reachable; they are looked for.

    Raises:
        TaskError: the repository lacks the commit, or something later was left in.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    made = git.Repo.init(folder, initial_branch="base")
    try:
        source = repository.absolute().as_uri()
        # Only this commit: with depth 1 its parents' objects stay behind, and with them all
        # that is newer. Its id may be asked for although no branch has it at its end.
        made.git.execute(
            ["git", "-c", "protocol.file.allow=always", "fetch", "--quiet", "--no-tags",
             "--no-write-fetch-head", "--depth=1", "--upload-pack",
             "git -c uploadpack.allowAnySHA1InWant=true upload-pack", source, commit]
        )  # fmt: skip
        made.git.execute(["git", "-c", "core.logAllRefUpdates=false", "checkout", "--quiet", "-B",
                          "base", commit])  # fmt: skip
        _forget(folder)
        made.git.execute(["git", "gc", "--quiet", "--prune=now"])
        _forget(folder)
    except GitCommandError as error:
        raise TaskError(f"{repository} gives no work tree of {commit}: {_said(error)}") from error
    finally:
        made.close()
    _prove(folder, commit, hidden)
    return folder


class CheckedOutTree:
    """The tree of a task as a solver may see it: files of the work tree, and no way to the clone.

    Args:
        folder: a work tree that ``check_out`` made.
        recency: what was known of the history before the base commit.
    """

    def __init__(self, folder: Path, recency: Mapping[str, float]) -> None:
        self._tree, self._recency = WorkingTree(folder), recency

    def files(self) -> Mapping[str, str]:
        """Content id by path: the SHA-256 of the bytes."""
        return self._tree.files()

    def text(self, path: str) -> str:
        """The text of one of ``files()``."""
        return self._tree.text(path)

    def recency(self) -> Mapping[str, float]:
        """How recently and often a path changed before the base commit."""
        return self._recency


def without_history(task: SWETask, folder: Path) -> SWETask:
    """The task with a work tree in ``folder`` in the place of a clone; others are as they are.

    Raises:
        TaskError: the clone is gone, or lacks the commit.
    """
    if not isinstance(task.tree, GitTree):
        return task
    where, recency = task.tree.origin(), dict(task.tree.recency())
    check_out(Path(where["repository"]), where["commit"], folder)
    return replace(task, tree=CheckedOutTree(folder, recency))


def reachable_objects(folder: Path) -> set[str]:
    """The ids of all objects that are in the repository of a work tree, named or not."""
    repo = git.Repo(folder)
    try:
        told = repo.git.execute(
            ["git", "cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)"]
        )
    finally:
        repo.close()
    return {line.split()[0] for line in str(told).splitlines()}


def _forget(folder: Path) -> None:
    """Remove what names commits outside of the branch: reflogs, fetch heads, packed refs."""
    for name in _LEFTOVERS:
        path = folder / ".git" / name
        if path.is_dir():
            shutil.rmtree(path)
        elif name != "packed-refs":
            path.unlink(missing_ok=True)


def _prove(folder: Path, commit: str, hidden: Sequence[str]) -> None:
    repo = git.Repo(folder)
    try:
        commits = [
            line.split()[0]
            for line in str(
                repo.git.execute(
                    ["git", "cat-file", "--batch-all-objects",
                     "--batch-check=%(objectname) %(objecttype)"]
                )
            ).splitlines()
            if line.endswith(" commit")
        ]  # fmt: skip
        refs = str(repo.git.execute(["git", "for-each-ref", "--format=%(refname)"])).split()
        remotes = [remote.name for remote in repo.remotes]
    finally:
        repo.close()
    found = sorted(set(hidden) & reachable_objects(folder))
    if commits != [commit] or refs != ["refs/heads/base"] or remotes or found:
        raise TaskError(
            f"the work tree of {commit} holds more than its base commit: {len(commits)} commits, "
            f"refs {refs}, remotes {remotes}, hidden {found}"
        )


def _said(error: GitCommandError) -> str:
    lines = str(error.stderr).strip().removeprefix("stderr:").strip(" \n'").splitlines()
    return lines[0] if lines else f"status {error.status}"
