"""SWE tasks to rows of the store and back; a row tells where the tree is, not what is in it."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from memory.errors import StoreError
from memory.store import Store
from memory.swe_tasks import SweTaskRow
from trainers.tasks.swe.repository import GitTree
from trainers.tasks.swe.shared import shared_folder
from trainers.tasks.swe.trees import OwnTree, SharedTree
from trainers.tasks.swe.types import Judge, SWETask, TaskSplit, Tree

CACHE = Path("cache") / "trees"
"""Below the state directory: where the shared files of repositories are unpacked."""


@runtime_checkable
class _Stored(Protocol):
    """A tree that can be found again."""

    def origin(self) -> dict[str, Any]:
        """Say where the tree is."""


def to_row(task: SWETask, rule: str) -> SweTaskRow:
    """Make the row of a task whose split was fixed by ``rule``."""
    body = {
        "code_before": dict(task.code_before),
        "code_after": dict(task.code_after),
        "patch": task.patch,
        "judge": None if task.judge is None else asdict(task.judge),
        "metadata": dict(task.metadata),
    }
    return SweTaskRow(
        id=task.task_id,
        source=task.source,
        repo=task.repo,
        issue=task.issue_text,
        split=task.split,
        rule=rule,
        body=body,
        base_commit=task.base_commit,
        base_date=task.base_date,
        trees=task.tree.origin() if isinstance(task.tree, _Stored) else None,
    )


def to_rows(tasks: Iterable[SWETask], rule: str) -> Iterator[SweTaskRow]:
    """Make the rows of tasks, one after another."""
    return (to_row(task, rule) for task in tasks)


def from_row(row: SweTaskRow, cache: Path | None = None) -> SWETask:
    """Make the task of a row.

    Args:
        row: as ``to_row`` makes it.
        cache: the folder where a repository's texts are unpacked, by default the user's.

    Raises:
        StoreError: the row says of its tree what this KENT does not know.
    """
    body, judge = row.body, row.body["judge"]
    return SWETask(
        task_id=row.id,
        repo=row.repo,
        issue_text=row.issue,
        code_before=body["code_before"],
        code_after=body["code_after"],
        source=row.source,
        split=row.split,
        base_commit=row.base_commit,
        base_date=row.base_date,
        patch=body["patch"],
        judge=None if judge is None else _judge(judge),
        tree=_tree(row, cache),
        metadata=body["metadata"],
    )


def from_rows(rows: Iterable[SweTaskRow], cache: Path | None = None) -> Iterator[SWETask]:
    """Make the tasks of rows, one after another."""
    return (from_row(row, cache) for row in rows)


def load_tasks(
    store: Store,
    *,
    split: TaskSplit | None = None,
    source: str | None = None,
    ids: Iterable[str] | None = None,
    cache: Path | None = None,
) -> Iterator[SWETask]:
    """Give the stored tasks of a split, a source and these ids (None: of all), ordered by id.

    Only some are in memory at a time. Their trees are read lazily; what the shared files hold is
    unpacked into ``cache``, by default the state directory's.
    """
    cache = cache or store.path.parent / CACHE
    return from_rows(store.swe_tasks(split=split, source=source, ids=ids), cache)


def _judge(document: dict[str, Any]) -> Judge:
    lists = {name: tuple(document[name]) for name in ("fail_to_pass", "pass_to_pass")}
    return Judge(**{**document, **lists})


def _tree(row: SweTaskRow, cache: Path | None) -> Tree | None:
    where = row.trees
    if where is None:
        return None
    if where["kind"] == "own":
        return OwnTree(row.body["code_before"], where.get("recency"))
    if where["kind"] == "shared":
        return SharedTree(shared_folder(Path(where["folder"]), cache), row.repo, row.id)
    if where["kind"] == "git":
        return GitTree(Path(where["repository"]), where["commit"])
    raise StoreError(f"the SWE task {row.id} has a tree of an unknown kind; update KENT")
