"""The pattern library in the store: each pattern once, and what every fix showed of it."""

from collections.abc import Iterable, Iterator
from typing import Any

from memory.repair_records import EvidenceRow, PatternRow
from memory.store import Store
from trainers.code_trainer.edits.abstraction import Mined, mine
from trainers.code_trainer.edits.library import Occurrence, PatternLibrary
from trainers.code_trainer.edits.pattern import Pattern
from trainers.tasks.swe.types import SWETask

PAIR = "pair/"
"""What the name of a repair pair begins with in a library; a task's name is its id."""

# A fix that shows no pattern is remembered by its run alone: it is mined again, which costs little.
_MINED = """
SELECT DISTINCT coalesce(task_id, :pair || pair_id) AS name FROM pattern_evidence
"""
_DATES = "SELECT id, base_date FROM swe_tasks WHERE split = 'train'"


def mined_fixes(store: Store) -> set[str]:
    """The names of the fixes whose patterns are in the store."""
    return {row["name"] for row in store.query(_MINED, {"pair": PAIR})}


def remember_task(store: Store, task: SWETask, stage_run_id: int | None) -> int:
    """Mine a train task's truth and store what it shows; how many patterns that are.

    Raises:
        SplitGuardError: the task is not a train task.
    """
    return _remember(store, mined_of_task(task), stage_run_id, task_id=task.task_id)


def remember_pairs(store: Store, stage_run_id: int | None) -> int:
    """Mine the repair pairs that were not mined yet; how many showed a pattern."""
    known = mined_fixes(store)
    found = 0
    for pair in store.repair_pairs():
        if f"{PAIR}{pair.row.id}" in known:
            continue
        mined = _mined(pair.broken, pair.fixed)
        found += bool(_remember(store, mined, stage_run_id, pair_id=pair.row.id))
    return found


def recall_library(store: Store, *, before: float | None = None) -> PatternLibrary:
    """Make the library of everything that was mined.

    Args:
        store: where it is.
        before: only what is known from fixes before this time (Unix seconds) or without a date.
    """
    library = PatternLibrary()
    for count in store.patterns(before=before):
        library.patterns[count.pattern.key] = Pattern.from_json(count.pattern.abstraction)
    dates = {row["id"]: row["base_date"] for row in store.query(_DATES)}
    rows: dict[str, list[Occurrence]] = {}
    for one in store.evidence(before=before):
        name = one.task_id or f"{PAIR}{one.pair_id}"
        rows.setdefault(name, []).extend(_occurrences(one))
    library.tasks = {name: tuple(found) for name, found in rows.items()}
    library.dates = {name: dates.get(name) for name in rows}
    return library


def mined_of_task(task: SWETask) -> list[Mined]:
    """The patterns of a task's truth; of files that do not parse there are none."""
    return [
        found
        for path, before in task.code_before.items()
        if path.endswith(".py") and (after := task.code_after.get(path)) is not None
        for found in _mined(before, after)
    ]


def _mined(before: str, after: str) -> list[Mined]:
    try:
        return mine(before, after)
    except (SyntaxError, ValueError, RecursionError):
        return []  # of another version of Python


def _remember(
    store: Store,
    mined: Iterable[Mined],
    stage_run_id: int | None,
    *,
    task_id: str | None = None,
    pair_id: int | None = None,
) -> int:
    by_key: dict[str, list[Mined]] = {}
    for item in mined:
        by_key.setdefault(item.pattern.key, []).append(item)
    patterns = [items[0].pattern for items in by_key.values()]
    store.add_patterns(PatternRow(p.key, p.operation, p.to_json()) for p in patterns)
    store.add_evidence(
        EvidenceRow(
            key,
            task_id=task_id,
            pair_id=pair_id,
            details={"at": [_place(item) for item in items]},
            stage_run_id=stage_run_id,
        )
        for key, items in by_key.items()
    )
    return len(by_key)


def _place(item: Mined) -> list[Any]:
    return [item.context, item.node, [list(filling) for filling in item.fillings]]


def _occurrences(row: EvidenceRow) -> Iterator[Occurrence]:
    for context, node, fillings in row.details["at"]:
        yield Occurrence(
            row.pattern, context, node, tuple((kind, name, word) for kind, name, word in fillings)
        )
