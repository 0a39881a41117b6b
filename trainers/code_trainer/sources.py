"""Which SWE tasks a round works on: brought into the store once, then read by split."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from memory.store import Store
from trainers.config import TrainerSettings
from trainers.errors import TaskError
from trainers.stage import StageContext
from trainers.tasks.swe.humanevalfix import read_humanevalfix
from trainers.tasks.swe.injected import inject
from trainers.tasks.swe.loading import load_tasks, to_rows
from trainers.tasks.swe.named_sets import read_set
from trainers.tasks.swe.notes import Notes
from trainers.tasks.swe.quixbugs import read_quixbugs
from trainers.tasks.swe.shared import read_swe
from trainers.tasks.swe.splits import INJECTED_RULE, SHARED_RULE, TEST_RULE
from trainers.tasks.swe.types import SWETask, TaskSplit

_FILES = {
    "swe": ("swe_tasks.jsonl.gz", "swe_tasks.jsonl"),
    "mined": ("mined_tasks.jsonl.xz", "mined_tasks.jsonl"),
    "quixbugs": ("quixbugs.jsonl",),
    "humanevalfix": ("humanevalfix.jsonl",),
}
_READ = "SELECT DISTINCT json_extract(data, '$.source') AS source FROM events WHERE kind = ?"
_WAS_READ = "code.tasks_read"
_SPLITS = "SELECT id, split FROM swe_tasks"


def bring_in(context: StageContext) -> list[str]:
    """Read the tasks that the configuration names into the store, each source once to its end.

    A reading that was cut is repeated, which changes nothing that is there. A task that somebody
    imported under another split keeps that.

    Returns:
        Notes: what was read, and what was left out and why.

    Raises:
        TaskError: a source that is named is not there.
    """
    store, settings = context.store, context.settings
    done = {row["source"] for row in store.query(_READ, (_WAS_READ,))}
    splits: dict[str, TaskSplit] = {row["id"]: row["split"] for row in store.query(_SPLITS)}
    notes: list[str] = []
    for name in _wanted(settings):
        if name in done:
            continue
        context.progress.start(f"read {name}", 0, "tasks")
        said = Notes()
        tasks, rule = _readers(settings, said, name)
        kept = (replace(one, split=splits.get(one.task_id, one.split)) for one in tasks)
        count = store.add_swe_tasks(to_rows(_told(context, kept), rule))
        store.event(
            _WAS_READ,
            f"{name}: {count} tasks are new",
            round_id=context.round_id,
            stage_run_id=context.stage_run_id,
            data={"source": name},
        )
        notes += [f"{name}: {count} tasks read", *said.lines()]
    return notes


def read_measured(settings: TrainerSettings, cache: Path, notes: Notes) -> list[SWETask]:
    """The tasks that ``benchmark.task_file`` names: a set of SWE-bench's, or a file.

    Raises:
        TaskError: it cannot be read.
    """
    wanted = settings.benchmark
    clones = Path(wanted.clones) if wanted.clones else None
    folder = _folder(settings)
    found = read_set(
        wanted.task_file, os.environ, folder=folder, clones=clones, cache=cache, notes=notes
    )
    return list(found)


def tasks_of(store: Store, split: TaskSplit, most: int = 0) -> list[str]:
    """The ids of a split's tasks, in the order of their hash; at most so many (0: all)."""
    rows = store.query("SELECT id FROM swe_tasks WHERE split = ?", (split,))
    ids = sorted((str(row["id"]) for row in rows), key=by_hash)
    return ids[: most or len(ids)]


def read_tasks(store: Store, ids: Iterable[str]) -> list[SWETask]:
    """The tasks of these ids, those of one repository together, oldest first."""
    found = load_tasks(store, ids=list(ids))
    return sorted(found, key=lambda task: (task.repo, task.base_date or 0.0, task.task_id))


def by_hash(text: str) -> str:
    """A sort key that has nothing to do with what a task is about."""
    return sha256(text.encode()).hexdigest()


def _told(context: StageContext, tasks: Iterable[SWETask]) -> Iterator[SWETask]:
    for task in tasks:
        context.check_stop()
        yield task
        context.progress.advance()


def _wanted(settings: TrainerSettings) -> list[str]:
    names = list(settings.code.sources)
    if "auto" in names:
        names.remove("auto")
        folder = _folder(settings)
        names += [name for name in ("swe", "mined") if folder and _file(folder, name)]
        names.append("injected")
    return list(dict.fromkeys(names))


def _readers(settings: TrainerSettings, notes: Notes, name: str) -> tuple[Iterable[SWETask], str]:
    if name == "injected":
        made = inject(count=settings.code.injected, seed=settings.seed, split=None, notes=notes)
        return made, INJECTED_RULE
    folder = _folder(settings)
    path = _file(folder, name) if folder else None
    if path is None:
        where = folder or "no data folder is named: set KENT_DATA or tasks.data_dir"
        raise TaskError(f"code.sources has {name}, but there is no {_FILES[name][0]}: {where}")
    makers: Mapping[str, Callable[[], Iterable[SWETask]]] = {
        "swe": lambda: read_swe(path, notes=notes),
        "mined": lambda: read_swe(path, notes=notes),
        "quixbugs": lambda: read_quixbugs(path, split="test", notes=notes),
        "humanevalfix": lambda: read_humanevalfix(path, split="test", notes=notes),
    }
    rule = TEST_RULE if name in ("quixbugs", "humanevalfix") else SHARED_RULE
    return makers[name](), rule


def _folder(settings: TrainerSettings) -> Path | None:
    named = os.environ.get("KENT_DATA") or settings.tasks.data_dir
    return Path(named).expanduser() / "swe" if named else None


def _file(folder: Path, name: str) -> Path | None:
    return next((folder / one for one in _FILES[name] if (folder / one).is_file()), None)
