"""Scores anybody's predictions as the benchmark scores its own: exact, normalised, resolved."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from memory.records import Figure
from trainers import statistics
from trainers.code_trainer.comparison import exact, normalised
from trainers.tasks.swe.predictions import Prediction, after, changed_texts
from trainers.tasks.swe.types import SWETask

Changed = Mapping[str, str | None]
Resolves = Callable[[SWETask, Changed], bool | None]
"""Whether a change resolves a task by its tests; None: these cannot be judged."""


def score_predictions(
    predictions: Sequence[Prediction],
    tasks: Mapping[str, SWETask],
    resolves: Resolves,
    *,
    seed: int = 0,
    tell: Callable[[dict[str, Any]], None] = lambda row: None,
) -> dict[str, Any]:
    """Figures and a row for each task that was predicted.

    Args:
        predictions: a task without one counts as not solved where it is among ``tasks``.
        tasks: all that are scored, by id.
        resolves: runs the tests.
        seed: of the intervals.
        tell: is told each row as it is done.
    """
    by_id = {one.task_id: one for one in predictions}
    rows = []
    for task in tasks.values():
        row = _row(task, by_id.get(task.task_id), resolves)
        rows.append(row)
        tell(row)
    names = ("exact", "normalised", "resolved")
    return {
        **{name: _share([row[name] for row in rows]).to_json() for name in names},
        "applies": _share([row["applies"] for row in rows]).to_json(),
        "not_judged": sum(row["resolved"] is None for row in rows),
        "unknown_ids": sorted(by_id.keys() - tasks.keys()),
        "rows": rows,
        "seed": seed,
    }


def _row(task: SWETask, prediction: Prediction | None, resolves: Resolves) -> dict[str, Any]:
    changed = {} if prediction is None else changed_texts(task, prediction.patch)
    if not changed:
        return {
            "task_id": task.task_id,
            "applies": changed is not None,
            "exact": False,
            "normalised": False,
            "resolved": resolves(task, {}),
        }
    texts = after(task, changed)
    same = exact(texts, task.code_after)
    return {
        "task_id": task.task_id,
        "applies": True,
        "exact": same,
        "normalised": same or normalised(texts, task.code_after),
        "resolved": resolves(task, changed),
    }


def _share(values: Sequence[bool | None]) -> Figure:
    known = [value for value in values if value is not None]
    return statistics.wilson(sum(known), len(known))
