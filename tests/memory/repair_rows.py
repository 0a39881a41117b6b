"""Rows of the tables of repair for tests; SWE tasks are put in by SQL."""

import sqlite3

from memory.repair_records import (
    ConstraintRow,
    EvidenceRow,
    FactRow,
    MemoryRow,
    ObservationRow,
    PatternRow,
    RepairRow,
)
from memory.store import Store

DIMENSIONS = 128


def add_task(store: Store, id: str, split: str = "train", base_date: float | None = None) -> str:
    connection = sqlite3.connect(store.path, isolation_level=None)
    connection.execute(
        "INSERT INTO swe_tasks VALUES (?, 'swe', 'o/r', 'c', ?, 'It breaks.', ?, 'by hand', NULL, "
        "x'', 0)",
        (id, base_date, split),
    )
    connection.close()
    return id


def add_tasks(store: Store) -> None:
    """One task of each split, ``t/train`` and so on."""
    for name, split in (("train", "train"), ("val", "validation"), ("test", "test")):
        add_task(store, f"t/{name}", split)


def next_attempt(store: Store, round_id: int = 1) -> int:
    return store.begin_stage_run(round_id, "critic", pid=None, pid_start=None).id


def next_round(store: Store) -> int:
    """The stage run of a new round."""
    store.close_round(store.rounds()[-1].id, "done")
    return next_attempt(store, store.open_round(seed=1, config={}, code_version="0").id)


def pattern(key: str = "p", operation: str = "modify_line") -> PatternRow:
    return PatternRow(key, operation, {"from": "a < b", "to": "a <= b", "key": key})


def seen(pattern: str = "p", task: str | None = "t/train", **changes) -> EvidenceRow:
    return EvidenceRow(pattern, task_id=task, **changes)


def fact(label: str = "null_check", key: bytes = bytes(16), **changes) -> FactRow:
    changes = changes or {"task_id": "t/train"}
    return FactRow(changes.pop("memory", "patterns"), label, key, **changes)


def attempt(score: float = 0.0, operator: str = "swap", **changes) -> ConstraintRow:
    given = {"context": "c", "operation": "modify_line", "file_role": "library", **changes}
    source = {} if "problem_id" in given else {"task_id": "t/train"}
    return ConstraintRow(operator=operator, partial_score=score, **{**source, **given})


def observation(success: bool = True, pattern: str = "p", **changes) -> ObservationRow:
    source = {} if "problem_id" in changes else {"task_id": "t/train"}
    given = {"context": "c", "stage_run_id": 1, **source, **changes}
    return ObservationRow(pattern=pattern, success=success, **given)


def repair(task: str = "t/train", **changes) -> RepairRow:
    given = {"mode": "trained", "outcome": "resolved", "candidates": 3, "seconds": 0.5}
    return RepairRow(task, **{**given, "stage_run_id": 1, **changes})


def open_memory(store: Store) -> None:
    store.open_memory(MemoryRow("patterns", DIMENSIONS, 0))
