"""`kent benchmark code --score FILE`: anybody's predictions, scored as KENT's own are."""

import os
from pathlib import Path
from typing import Any

from kent.cli_app import say
from kent.config import KentConfig
from memory.store import Store
from trainers.code_trainer.score_predictions import Changed, Resolves, score_predictions
from trainers.code_trainer.sources import read_measured, read_tasks, tasks_of
from trainers.tasks.swe import predictions as official_form
from trainers.tasks.swe.judging import calibrations, official
from trainers.tasks.swe.judging.resolver import Resolver
from trainers.tasks.swe.loading import CACHE
from trainers.tasks.swe.named_sets import SETS
from trainers.tasks.swe.notes import Notes
from trainers.tasks.swe.types import SWETask

Json = dict[str, Any]


def score_file(config: KentConfig, file: Path, limit: int = 0) -> Json:
    """Score a file of predictions on the set of ``benchmark.task_file``, or the store's test tasks.

    With a set of SWE-bench's and Docker the official harness says what is resolved; else the local
    judge does, of those tasks that it can judge.

    Raises:
        TaskError: the predictions or the tasks cannot be read.
    """
    predictions = official_form.read(file)
    tasks = _tasks(config)
    wanted = {one.task_id for one in predictions}
    chosen = {task.task_id: task for task in tasks if task.task_id in wanted}
    kept = dict(list(chosen.items())[: limit or None])
    resolves, judge = _judge(config, file, sorted(kept))

    def tell(row: Json) -> None:
        word = {True: "resolved", False: "not resolved", None: "not judged"}[row["resolved"]]
        say(f"{row['task_id']}: {word}{', exact' if row['exact'] else ''}")

    found = score_predictions(predictions, kept, resolves, seed=config.seed, tell=tell)
    return {"predictions": file.name, "judge": judge, **found}


def in_lines(document: Json) -> list[str]:
    """A line a level."""
    lines = [f"judged by {document['judge']}"]
    for name in ("applies", "exact", "normalised", "resolved"):
        figure = document[name]
        if figure["value"] is None:
            lines.append(f"{name:12}-")
            continue
        shown = " to ".join(f"{100 * figure[side]:.1f}" for side in ("low", "high"))
        lines.append(f"{name:12}{100 * figure['value']:.1f} % ({shown}), n = {figure['n']}")
    lines.append(f"not judged: {document['not_judged']}")
    if document["unknown_ids"]:
        lines.append(f"no such task: {', '.join(document['unknown_ids'][:5])}")
    return lines


def _tasks(config: KentConfig) -> list[SWETask]:
    if config.benchmark.task_file:
        return read_measured(config, config.state_dir / CACHE, Notes())
    with Store.open(config.state_dir / "kent.db", read_only=True) as store:
        return read_tasks(store, tasks_of(store, "test"))


def _judge(config: KentConfig, file: Path, ids: list[str]) -> tuple[Resolves, str]:
    name = config.benchmark.task_file
    why = official.why_not() if name in SETS else "the tasks are of no set of SWE-bench's"
    if why is None and os.environ.get("HF_HUB_OFFLINE") != "1":
        done = official.resolved(file, SETS[name][1], ids, config.state_dir / "swe" / "official")

        def by_harness(task: SWETask, changed: Changed) -> bool | None:
            return done.get(task.task_id)

        return by_harness, "the official harness"
    folder = config.state_dir / calibrations.FOLDER
    return Resolver(folder), f"the tests as they run here ({why or 'the Hub is offline'})"
