"""SWE tasks as examples to learn from: a table of candidates and what the truth edited."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainers.code_trainer.fixes import Fix
from trainers.code_trainer.index import VERSION as INDEX_VERSION
from trainers.code_trainer.regions import edited_functions, largest_region
from trainers.code_trainer.tables import Table, TableMaker, load_table, save_table, table_key
from trainers.errors import TrainerError
from trainers.tasks.swe.trees import OwnTree
from trainers.tasks.swe.types import SWETask, Tree

# Raise it when features change: tables on disk are made anew.
VERSION = 2
# A tree made after a task may hold its fix already: an earlier one may be this much farther off.
_LATER_PENALTY = 2.0


@dataclass(frozen=True)
class Example:
    """One task ready to learn from or to be scored.

    ``lent``: the task has no tree of its own and borrows that of the nearest task of its
    repository; such an example trains, and is never scored.
    """

    task_id: str
    repo: str
    date: float | None
    table: Table
    gold: frozenset[str]
    functions: frozenset[tuple[str, str]]
    operation: str
    lent: bool

    def fix(self) -> Fix:
        """What the memory of fixes keeps of it."""
        return Fix(
            self.task_id, self.repo, self.date or 0.0, self.table.query,
            tuple(sorted(self.gold)), tuple(sorted(self.functions)),
        )  # fmt: skip


def make_examples(
    tasks: Iterable[SWETask],
    maker: TableMaker,
    cache: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> list[Example]:
    """The examples of all tasks that have a tree, their own or a lent one, by repository.

    Args:
        tasks: with ``base_date`` where known.
        maker: holds the indexes.
        cache: a folder for finished tables; None makes them anew.
        say: is told of each task that cannot be used, with the reason.
    """
    by_repo: dict[str, list[SWETask]] = {}
    for task in tasks:
        by_repo.setdefault(task.repo, []).append(task)
    return [
        example
        for repo in sorted(by_repo)
        for example in _of_repository(by_repo[repo], maker, cache, say)
    ]


def _of_repository(
    tasks: Sequence[SWETask], maker: TableMaker, cache: Path | None, say: Callable[[str], None]
) -> Iterator[Example]:
    whole = [task for task in tasks if has_repository(task)]
    files = {task.task_id: task.tree.files() for task in whole if task.tree is not None}
    for task in tasks:
        tree, lent = task.tree, False
        if not has_repository(task):
            found = _nearest(task, whole, files)
            if found is None:
                say(f"{task.task_id} has no tree, and no task of {task.repo} has one to lend")
                continue
            tree, lent = found.tree, True
        try:
            assert tree is not None
            table = table_of(task, tree, maker, cache)
        except TrainerError as error:
            say(f"{task.task_id}: {error}")
            continue
        yield _example(task, table, lent)


def has_repository(task: SWETask) -> bool:
    """Whether the task brings a tree that is more than the files its truth changes."""
    return task.tree is not None and not isinstance(task.tree, OwnTree)


def table_of(task: SWETask, tree: Tree, maker: TableMaker, cache: Path | None) -> Table:
    """The table of a task, from the cache where it is there.

    Raises:
        TrainerError: the tree is empty or cannot be read.
    """
    gold = frozenset(task.code_before)
    path = None
    if cache is not None:
        key = table_key(task.issue_text, dict(tree.files()), gold)
        path = cache / f"v{VERSION}.{INDEX_VERSION}" / f"{key}.npz"
        if path.is_file():
            try:
                return load_table(path)
            except (OSError, ValueError, KeyError):
                path.unlink()  # half written: made anew
    table = maker.table(task.issue_text, maker.view(task.repo, tree), gold)
    if path is not None:
        save_table(table, path)
    return table


def _nearest(task: SWETask, whole: Sequence[SWETask], files: dict[str, Any]) -> SWETask | None:
    """The task with a tree that has all of the task's files, the nearest by date."""

    def distance(other: SWETask) -> float:
        apart = (task.base_date or 0.0) - (other.base_date or 0.0)
        return apart if apart >= 0 else -apart * _LATER_PENALTY

    fitting = [one for one in whole if all(p in files[one.task_id] for p in task.code_before)]
    return min(fitting, key=distance, default=None)


def _example(task: SWETask, table: Table, lent: bool) -> Example:
    region = largest_region(task.code_before, task.code_after)
    return Example(
        task_id=task.task_id,
        repo=task.repo,
        date=task.base_date,
        table=table,
        gold=frozenset(task.code_before),
        functions=frozenset(
            (path, name)
            for path, before in task.code_before.items()
            for name in edited_functions(before, task.code_after.get(path, ""))
        ),
        operation=region.operation if region else "modify_line",
        lent=lent,
    )
