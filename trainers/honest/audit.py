"""Refuses a snapshot that learned from what it is to be measured on.

The store's triggers forbid a row that says so; a file can be written without them. So before
anything is scored every table of what was learned is asked again, and the triggers are looked for.
"""

from collections.abc import Iterable

from memory.schema_repair import LEARNED, LEARNED_FROM_PROBLEMS
from memory.store import Store
from trainers.errors import BenchmarkError

_OF_PROBLEMS = {
    "training_examples": """
        SELECT DISTINCT x.problem_id AS id FROM training_examples t
        JOIN samples x ON x.id = t.sample_id LEFT JOIN splits s ON s.problem_id = x.problem_id
        WHERE s.split IS NOT 'train'""",
    "repair_pairs": """
        SELECT DISTINCT p.problem_id AS id FROM repair_pairs p
        LEFT JOIN splits s ON s.problem_id = p.problem_id WHERE s.split IS NOT 'train'""",
    "models": """
        SELECT DISTINCT e.value AS id FROM models m JOIN json_each(m.config, '$.problems') e
        LEFT JOIN splits s ON s.problem_id = e.value WHERE s.split IS NOT 'train'""",
    **{
        table: f"""
        SELECT DISTINCT t.problem_id AS id FROM {table} t
        LEFT JOIN splits s ON s.problem_id = t.problem_id
        WHERE t.problem_id IS NOT NULL AND s.split IS NOT 'train'"""
        for table in LEARNED_FROM_PROBLEMS
    },
}
_OF_TASKS = {
    table: f"""
        SELECT DISTINCT t.task_id AS id FROM {table} t LEFT JOIN swe_tasks s ON s.id = t.task_id
        WHERE t.task_id IS NOT NULL AND s.split IS NOT 'train'"""
    for table in (*LEARNED, "training_tasks")
}
_EVER_LEARNED = "\nUNION ".join(
    f"SELECT task_id AS id FROM {table} WHERE task_id IS NOT NULL"
    for table in (*LEARNED, "training_tasks")
)
_TRIGGERS = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'guard_%'"
LEAST_TRIGGERS = (
    "guard_training_examples", "guard_splits_update", "guard_training_tasks",
    "guard_repair_pairs", "guard_swe_tasks_update",
    *(f"guard_{table}" for table in LEARNED),
)  # fmt: skip


def learned_from(store: Store) -> set[str]:
    """The ids of the SWE tasks that anything in the store was learned from."""
    return {row["id"] for row in store.query(_EVER_LEARNED)}


def audit(store: Store, measured_on: Iterable[str] = ()) -> None:
    """Refuse a store in which something was learned from another split than train.

    Args:
        store: of the snapshot.
        measured_on: ids of the tasks to be measured on, of whatever split.

    Raises:
        BenchmarkError: it was; with the table and the first ids.
    """
    for table, question in {**_OF_PROBLEMS, **_OF_TASKS}.items():
        if found := sorted(row["id"] for row in store.query(question)):
            raise BenchmarkError(
                f"{table} holds {len(found)} tasks that are not of the train split "
                f"({', '.join(found[:3])}): what learned from them cannot be measured; "
                "`kent state backup` keeps an older store"
            )
    there = {row["name"] for row in store.query(_TRIGGERS)}
    if missing := [name for name in LEAST_TRIGGERS if name not in there]:
        raise BenchmarkError(
            f"the store lacks its split guards ({', '.join(missing[:3])}): nobody can say what it "
            "learned from"
        )
    if seen := sorted(learned_from(store) & set(measured_on)):
        raise BenchmarkError(
            f"{len(seen)} of the tasks were learned from, the first is {seen[0]}; "
            "measure on others, or with a state directory of its own"
        )
