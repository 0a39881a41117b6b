"""Mines fixes from a local repository's history: commits that mend code and bring a test for it.

The commit's message stands for the issue, the parent's tree is the base, and the tests that the
commit changed are the judge's patch; which of them failed before is not known.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from trainers.errors import TaskError
from trainers.tasks.python_source import parse
from trainers.tasks.swe.history import Change, Commit, commits
from trainers.tasks.swe.notes import Notes
from trainers.tasks.swe.paths import MAX_BYTES, is_code, is_test
from trainers.tasks.swe.repository import GitTree, Repository, open_repository
from trainers.tasks.swe.splits import by_date
from trainers.tasks.swe.types import Judge, SWETask, TaskSplit

MAX_FILES, MAX_LINES, MAX_TESTS = 5, 150, 10
"""Of a fix: files of code, lines that it removes and adds, files of tests. Others are no fix."""

_FIX = re.compile(
    r"\b(fix(es|ed|ing)?|bug(s|fix(es)?)?|hotfix|issues?|regress(ion|ions|ed)?|crash(es|ed)?|broken"
    r"|wrong(ly)?|incorrect(ly)?|(clos|resolv)(e|es|ed) #\d+)\b",
    re.IGNORECASE,
)
_NO_FIX = re.compile(r"^(merge|revert|bump|release)\b|\btypos?\b", re.IGNORECASE)
_TRAILER = re.compile(
    r"^(signed-off-by|co-authored-by|reviewed-by|acked-by|change-id|cc|git-svn-id)\b.*",
    re.IGNORECASE | re.MULTILINE,
)
SOURCE = "git"

EMPTY = "have a message that says nothing beside its trailers; they are left out"
NOT_UTF8 = "change a file that is no UTF-8; they are left out"
UNPARSED = "change a file that this Python cannot parse; they are left out"
LACKING = "need objects that the repository lacks; they are left out"


def mine(
    path: Path,
    *,
    limit: int | None = None,
    since: str | None = None,
    split: TaskSplit | None = None,
    notes: Notes | None = None,
) -> list[SWETask]:
    """Mine the fixes of the repository at ``path``, newest first.

    Args:
        path: a repository with or without a checkout.
        limit: how many tasks at most.
        since: only commits after it; any date that git understands.
        split: of all; by default by date, see ``splits.by_date``.
        notes: gathers what was left out and why.

    Raises:
        TaskError: there is no repository, or it has no commits.
    """
    notes = Notes() if notes is None else notes
    repository = open_repository(path.absolute())
    tasks = list(islice(_tasks(repository, since, notes), limit))
    if not tasks:
        notes.say(
            f"{repository.path}: no commit is a fix with tests (its message speaks of a fix, and "
            f"it changes tests and at most {MAX_FILES} other Python files)"
        )
    splits = by_date((task.task_id, task.base_date or 0.0) for task in tasks)
    return [replace(task, split=split or splits[task.task_id]) for task in tasks]


def _tasks(repository: Repository, since: str | None, notes: Notes) -> Iterator[SWETask]:
    if repository.is_shallow:
        notes.say(
            f"{repository.path} is a shallow clone: only the commits in it are mined; "
            "git fetch --unshallow brings the rest"
        )
    for commit in commits(repository, since=since):
        if not _may_be_fix(commit):
            continue
        try:
            task = _task(repository, commit)
        except _Unusable as why:
            notes.count(str(why), commit.id[:12])
            continue
        except TaskError:  # a parent beyond a shallow end, a blob of a partial clone
            notes.count(LACKING, commit.id[:12])
            continue
        if task is not None:
            yield task


class _Unusable(Exception):
    """A fix that becomes no task, and why."""


def _may_be_fix(commit: Commit) -> bool:
    """Tell by its message and its paths whether a commit may be a fix with tests."""
    subject = commit.message.lstrip().partition("\n")[0]
    if len(commit.parents) != 1 or _NO_FIX.search(subject) or not _FIX.search(commit.message):
        return False
    code = [change for change in commit.changes if is_code(change.path)]
    tests = [change for change in commit.changes if is_test(change.path)]
    return (
        1 <= len(code) <= MAX_FILES
        and 1 <= len(tests) <= MAX_TESTS
        and any(change.path.endswith(".py") and change.status != "D" for change in tests)
        and any(change.status == "M" for change in code)
        and all(change.status in "AM" and change.is_file for change in code)
    )


def _task(repository: Repository, commit: Commit) -> SWETask | None:
    base = commit.parents[0]
    code = [change for change in commit.changes if is_code(change.path)]
    tests = [change.path for change in commit.changes if is_test(change.path)]
    patch = repository.diff(base, commit.id, [change.path for change in code])
    if _changed_lines(patch) > MAX_LINES:
        return None
    issue = _TRAILER.sub("", commit.message).strip()
    if not issue:
        raise _Unusable(EMPTY)
    before = {c.path: _text(repository, c.old) for c in code if c.status == "M"}
    after = {c.path: _text(repository, c.new) for c in code}
    if not _changes_code(code, before, after):
        return None
    name = repository.name
    return SWETask(
        task_id=f"git/{name.replace('/', '__')}@{commit.id[:12]}",
        repo=name,
        issue_text=issue,
        code_before=before,
        code_after=after,
        source=SOURCE,
        base_commit=base,
        base_date=repository.commit_date(base),
        patch=patch,
        judge=Judge("project", test_patch=repository.diff(base, commit.id, tests)),
        tree=GitTree(repository.path, base),
        metadata={"fix_commit": commit.id},
    )


def _changed_lines(patch: str) -> int:
    return sum(
        line[:1] in "+-" and line[:4] not in ("--- ", "+++ ") for line in patch.splitlines() if line
    )


def _text(repository: Repository, blob_id: str) -> str:
    raw = repository.read(blob_id)
    if len(raw) > MAX_BYTES:
        raise _Unusable(f"change a file of more than {MAX_BYTES:,} bytes; they are left out")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _Unusable(NOT_UTF8) from error


def _changes_code(code: list[Change], before: dict[str, str], after: dict[str, str]) -> bool:
    """Tell whether a file differs in more than its comments and layout."""
    try:
        return any(
            change.status == "A" or _meaning(before[change.path]) != _meaning(after[change.path])
            for change in code
        )
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _Unusable(UNPARSED) from error


def _meaning(text: str) -> str:
    return ast.dump(parse(text))
