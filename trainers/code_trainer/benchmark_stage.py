"""The benchmark of the code trainer, as a round of its own that trains nothing."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trainers.clock import Clock
from trainers.code_trainer import versions
from trainers.code_trainer.benchmark import HonestCodeBenchmark, in_json
from trainers.code_trainer.sources import (
    bring_in,
    by_hash,
    read_measured,
    read_tasks,
    tasks_of,
)
from trainers.config import CodeConfig
from trainers.errors import BenchmarkError
from trainers.honest.audit import learned_from
from trainers.stage import StageContext, StageResult
from trainers.tasks.swe.judging import calibrations
from trainers.tasks.swe.judging.resolver import Resolver
from trainers.tasks.swe.loading import CACHE
from trainers.tasks.swe.notes import Notes
from trainers.tasks.swe.types import SWETask

_ABLATIONS = {
    "without circuits": {"circuits": False},
    "without constraints": {"constraints": False},
    "without both": {"circuits": False, "constraints": False},
}


class CodeBenchmark:
    """Measures the version in use on the test tasks, or on those of a file."""

    name = "code_benchmark"

    def why_not_due(self, context: StageContext) -> str | None:
        """None: it is run when asked for."""
        return None

    def run(self, context: StageContext) -> StageResult:
        """See :class:`trainers.stage.Stage`.

        Raises:
            BenchmarkError: there is no test task.
        """
        clock, notes = Clock(), Notes()
        with clock.timed("tasks"):
            tasks, told = _tasks(context, notes)
        row = versions.in_use(context.store)
        wanted = context.settings.benchmark
        resolver = Resolver(context.state_dir / calibrations.FOLDER)
        bench = HonestCodeBenchmark(context, row, task_file=wanted.task_file, resolves=resolver)
        with clock.timed("solve"):
            result = bench.evaluate(tasks, wanted.modes)
        document = in_json(result, seed=context.seed)
        if wanted.ablation:
            document["ablation"] = _ablation(context, tasks)
        document |= {
            "task_set": told,
            "n_tasks": len(tasks),
            "model": row.id if row else None,
            "model_status": row.status if row else None,
            "judged": sorted(set(resolver.judged) & {task.task_id for task in tasks}),
            "predictions": result.patches.get("isolated", {}),
            "notes": notes.lines(),
            "seconds": clock.seconds,
        }
        return StageResult(document)


def _ablation(context: StageContext, tasks: list[SWETask]) -> dict[str, Any]:
    """The isolated mode without parts of the memory, on programs: only they are searched."""
    row = versions.in_use(context.store)
    programs = [task for task in tasks if task.tree is None]
    found = {}
    for name, change in _ABLATIONS.items():
        code = CodeConfig.model_validate({**context.settings.code.model_dump(), **change})
        settings = context.settings.model_copy(update={"code": code})
        other = replace(context, settings=settings)
        bench = HonestCodeBenchmark(other, row, name, context.settings.benchmark.task_file)
        result = bench.evaluate(programs, ("isolated",))
        found[name] = in_json(result, seed=context.seed)["isolated"]
    return found


def _tasks(context: StageContext, notes: Notes) -> tuple[list[SWETask], str]:
    wanted = context.settings.benchmark
    if wanted.task_file:
        tasks = read_measured(context.settings, context.state_dir / CACHE, notes)
        told = Path(wanted.task_file).name
        learned = learned_from(context.store)
        if seen := [task.task_id for task in tasks if task.task_id in learned]:
            notes.say(f"{len(seen)} of {told} were learned from and are left out")
            tasks = [task for task in tasks if task.task_id not in learned]
    else:
        for line in bring_in(context):
            notes.say(line)
        tasks = read_tasks(context.store, tasks_of(context.store, "test"))
        told = "the store's test split"
    if wanted.date_after:
        after = datetime.fromisoformat(wanted.date_after).replace(tzinfo=UTC).timestamp()
        tasks = [task for task in tasks if (task.base_date or 0.0) > after]
        told = f"{told}, after {wanted.date_after}"
    if wanted.limit:
        chosen = sorted(tasks, key=lambda task: by_hash(task.task_id))[: wanted.limit]
        kept = {task.task_id for task in chosen}
        tasks = [task for task in tasks if task.task_id in kept]
    if not tasks:
        told = "; ".join([f"{told} has no test task", *notes.lines()])
        raise BenchmarkError(f"{told}: `kent tasks import` brings some, or use --set")
    return tasks, told
