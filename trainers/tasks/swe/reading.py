"""Reads a task file of whichever set: SWE tasks, QuixBugs or HumanEvalFix, told by its records."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from trainers.errors import TaskError
from trainers.tasks.files import numbered_lines, parse_line
from trainers.tasks.swe.humanevalfix import read_humanevalfix
from trainers.tasks.swe.notes import Notes
from trainers.tasks.swe.quixbugs import read_quixbugs
from trainers.tasks.swe.records import Sources
from trainers.tasks.swe.shared import read_swe, set_of
from trainers.tasks.swe.types import SWETask, TaskSplit


def read_tasks(
    path: Path,
    *,
    split: TaskSplit = "test",
    limit: int | None = None,
    cache: Path | None = None,
    notes: Notes | None = None,
    sources: Sources | None = None,
) -> Iterator[SWETask]:
    """Read the tasks of a file, or of a folder with SWE tasks, all into one split.

    Args:
        path: see ``read_swe``, ``read_quixbugs`` and ``read_humanevalfix``.
        split: of all tasks.
        limit: how many at most.
        cache: the folder where a repository's texts are unpacked, by default the user's.
        notes: gathers what was left out and why.
        sources: has the code of SWE tasks whose records bring only a patch.

    Raises:
        TaskError: the file cannot be read at all.
        SandboxError: QuixBugs's programs cannot be run here.
    """
    name = _set_in(path) if path.is_file() else None
    tasks: Iterable[SWETask]
    if name == "quixbugs":
        tasks = read_quixbugs(path, split=split, limit=limit, notes=notes)
    elif name == "humanevalfix":
        tasks = read_humanevalfix(path, split=split, limit=limit, notes=notes)
    else:
        tasks = read_swe(path, split=split, limit=limit, cache=cache, notes=notes, sources=sources)
    yield from tasks


def _set_in(path: Path) -> str | None:
    """Name the set of the first line that is a record."""
    for number, raw in numbered_lines(path):
        try:
            return set_of(parse_line(raw, f"{path}, line {number}"))
        except TaskError:
            continue
    return None
