"""Reads task files of the shared format, with the trees, texts and recency that lie beside them."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from pathlib import Path

from trainers.errors import TaskError
from trainers.tasks.files import Record, numbered_lines, parse_line
from trainers.tasks.swe.notes import Notes
from trainers.tasks.swe.packs import default_cache
from trainers.tasks.swe.records import Sources, task_of
from trainers.tasks.swe.splits import shared_split
from trainers.tasks.swe.trees import OwnTree, SharedFolder, SharedTree
from trainers.tasks.swe.types import SWETask, TaskSplit, Tree

STEMS = ("swe_tasks", "mined_tasks")
ENDINGS = (".jsonl", ".jsonl.gz", ".jsonl.xz")
OTHERS = {"example_test": "humanevalfix", "test_kind": "quixbugs"}
"""Fields that only the records of other sets have, and the importer for them."""

NO_TREE = "have no tree, or no texts for it, beside their file: their own code is all of it"


def read_swe(
    path: Path,
    *,
    split: TaskSplit | None = None,
    limit: int | None = None,
    cache: Path | None = None,
    notes: Notes | None = None,
    sources: Sources | None = None,
) -> Iterator[SWETask]:
    """Read the tasks of a file, or of the task files of a folder, one after another.

    Args:
        path: a file of the shared format or SWE-bench's, JSON lines, also gzip or xz; or a folder
            with ``swe_tasks`` and ``mined_tasks``.
        split: of all tasks; by default the rule's, see ``splits``.
        limit: how many tasks at most.
        cache: the folder where a repository's texts are unpacked, by default the user's.
        notes: gathers what was left out and why.
        sources: where the code of tasks that bring none is looked for.

    Raises:
        TaskError: there is no such file, or it cannot be read at all. A broken line is a note.
    """
    notes = Notes() if notes is None else notes
    tasks = (
        _placed(task, split, shared_folder(file.parent, cache), notes, sources)
        for file in task_files(path)
        for task in tasks_of(records_of(file, notes), notes, sources)
    )
    yield from islice(tasks, limit)


def read_records(
    records: Iterable[tuple[str, Record]],
    *,
    split: TaskSplit | None = None,
    limit: int | None = None,
    notes: Notes | None = None,
    sources: Sources | None = None,
) -> Iterator[SWETask]:
    """Make tasks of records that come with a text that says where each is, such as the Hub's."""
    notes = Notes() if notes is None else notes
    tasks = tasks_of(records, notes, sources)
    placed = (_placed(task, split, None, notes, sources) for task in tasks)
    yield from islice(placed, limit)


def task_files(path: Path) -> list[Path]:
    """Name the task files that ``path`` means: itself, or those of the folder.

    Raises:
        TaskError: there are none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise TaskError(f"{path} does not exist; name a file of tasks or a folder with some")
    candidates = ([path / f"{stem}{ending}" for ending in ENDINGS] for stem in STEMS)
    found = [next((file for file in files if file.is_file()), None) for files in candidates]
    if not any(found):
        raise TaskError(f"{path} holds neither {' nor '.join(STEMS)} (.jsonl, .gz, .xz)")
    return [file for file in found if file is not None]


def shared_folder(folder: Path, cache: Path | None = None) -> SharedFolder:
    """Give the trees, texts and recency of a folder; those used last stay open."""
    return _folder(folder.absolute(), cache or default_cache())


@lru_cache(maxsize=4)
def _folder(folder: Path, cache: Path) -> SharedFolder:
    return SharedFolder(folder, cache)


def tasks_of(
    records: Iterable[tuple[str, Record]], notes: Notes, sources: Sources | None
) -> Iterator[SWETask]:
    """Make tasks, in no split yet and without trees; what makes none is a note.

    Raises:
        TaskError: they are those of another set.
    """
    seen: dict[str, str] = {}
    for where, record in records:
        if other := set_of(record):
            raise TaskError(f"{where}: these are {other}'s; use `kent tasks import {other} FILE`")
        try:
            task = task_of(record, notes, sources)
            if seen.setdefault(task.task_id, where) != where:
                raise TaskError(f"{task.task_id} is there already ({seen[task.task_id]})")
        except TaskError as error:
            notes.leave_out(f"{where}: {error}")
            continue
        yield task


def _placed(
    task: SWETask,
    split: TaskSplit | None,
    folder: SharedFolder | None,
    notes: Notes,
    sources: Sources | None,
) -> SWETask:
    """Give the task its tree and its split."""
    tree: Tree | None = None if folder is None else _shared_tree(folder, task)
    if tree is None and sources is not None and task.base_commit:
        tree = sources.tree(task.repo, task.base_commit)
    recency = None if folder is None else folder.recency(task.task_id)
    if tree is None:
        notes.count(NO_TREE, task.task_id)
        tree = OwnTree(task.code_before, recency)
    for line in folder.broken if folder else ():
        notes.say(line)
    chosen = split or shared_split(task.task_id, task.repo, task.base_date)
    return replace(task, tree=tree, split=chosen)


def _shared_tree(folder: SharedFolder, task: SWETask) -> Tree | None:
    if folder.has_tree(task.task_id) and folder.has_files(task.repo):
        return SharedTree(folder, task.repo, task.task_id)
    return None


def records_of(file: Path, notes: Notes) -> Iterator[tuple[str, Record]]:
    """Give the file's records with their lines; what is no record is a note.

    Raises:
        TaskError: it cannot be read at all, or is empty.
    """
    some = False
    try:
        for number, raw in numbered_lines(file):
            some, where = True, f"{file}, line {number}"
            try:
                yield where, parse_line(raw, where)
            except TaskError as error:
                notes.leave_out(str(error))
    except TaskError as error:
        if not some:
            raise
        notes.leave_out(f"{error}; what stands before the cut was read")
    if not some:
        raise TaskError(f"{file} is empty; fetch it again, or remove it")


def set_of(record: Record) -> str | None:
    """Name the other set that a record is of; None: it is a SWE task's."""
    return next((name for field, name in OTHERS.items() if field in record), None)
