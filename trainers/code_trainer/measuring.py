"""Solving many tasks to measure: each result is stored when done and not made again."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, Protocol

from memory.repair_records import RepairRow
from trainers.code_trainer.diffs import unified_diff
from trainers.code_trainer.program_repair import Repair
from trainers.code_trainer.results import Scored, Solution, score
from trainers.code_trainer.score_predictions import Resolves
from trainers.errors import TrainerError
from trainers.honest.isolation import Bench, Mode, run
from trainers.stage import StageContext
from trainers.tasks.swe.types import SWETask

_KEPT = "scored"
_BEYOND = "beyond all"


class Solves(Protocol):
    """Who answers tasks, such as :class:`trainers.code_trainer.solver.Solver`."""

    def attempt(self, task: SWETask) -> tuple[Solution, Repair | None]:
        """Answer a task; of a program that tests judge also how its repair went."""


def solve_all(
    context: StageContext,
    tasks: Sequence[SWETask],
    solver: Solves,
    *,
    mode: str,
    model_id: str | None,
    after: Callable[[SWETask, Repair | None], None] | None = None,
) -> list[Scored]:
    """Solve tasks and compare the answers with the truth.

    Args:
        context: store, progress, stop request.
        tasks: to solve; a task that cannot be worked on counts as not solved, and is told.
        solver: answers; it learns nothing, so that no task reaches another.
        mode: under which the store has the results.
        model_id: whose results they are.
        after: is told each task when it was answered: a memory that leaks is made so.

    Raises:
        Stopped: asked to stop; what was solved is stored.
    """
    here = set(tasks_in_store(context, tasks))
    rows = context.store.repairs(round_id=context.round_id, mode=mode)
    done = {row.task_id: row for row in rows if row.model_id == model_id and after is None}
    context.progress.start(f"solve, {mode}", len(tasks), "tasks")
    found = []
    for task in tasks:
        context.check_stop()
        if task.task_id in done:
            found.append(_read(done[task.task_id].evidence[_KEPT]))
        else:
            result, repair = _solve(
                context, task, solver, mode, model_id, stored=task.task_id in here
            )
            found.append(result)
            if after is not None:
                after(task, repair)
        context.progress.advance()
    return found


def solve_apart(
    context: StageContext,
    tasks: Sequence[SWETask],
    bench: Bench,
    isolation: Mode,
    *,
    mode: str,
    model_id: str | None,
    resolves: Resolves = lambda task, changed: None,
    answered: Callable[[str, str], None] = lambda task_id, patch: None,
) -> list[Scored]:
    """As ``solve_all``, each task in a process of its own; see :mod:`trainers.honest.isolation`.

    ``answered`` is told the patch of each task, also of those that the store does not have.

    Raises:
        BenchmarkError: a solver wrote into the snapshot, or its process ended.
        Stopped: asked to stop; what was solved is stored, but for a memory that leaks.
    """
    by_id = {task.task_id: task for task in tasks}
    here = set(tasks_in_store(context, tasks))
    found: dict[str, Scored] = {}
    if isolation != "shared_cache":
        rows = context.store.repairs(round_id=context.round_id, mode=mode)
        for row in rows:
            if row.model_id == model_id and row.task_id in by_id:
                found[row.task_id] = _read(row.evidence[_KEPT])
                answered(row.task_id, row.patch)
    context.progress.start(f"solve, {mode}", len(tasks), "tasks", done=len(found))
    left = [key for key in by_id if key not in found]
    for key, answer in run(bench, isolation, left, context.check_stop):
        task, scored = by_id[key], answer.scored
        if scored.resolved is None:
            patches = answer.solution.patches
            scored = replace(scored, resolved=resolves(task, dict(patches[0]) if patches else {}))
        found[key] = scored
        row = _row(context, task, answer.solution, scored, mode, model_id)
        answered(key, row.patch)
        if key in here:
            context.store.add_repairs([row])
        context.progress.advance()
    return [found[task.task_id] for task in tasks]


def _solve(
    context: StageContext,
    task: SWETask,
    solver: Solves,
    mode: str,
    model_id: str | None,
    *,
    stored: bool,
) -> tuple[Scored, Repair | None]:
    repair = None
    try:
        solution, repair = solver.attempt(task)
    except TrainerError as error:
        context.store.event(
            "code.task_failed",
            f"{task.task_id}: {error}",
            level="warning",
            round_id=context.round_id,
            stage_run_id=context.stage_run_id,
        )
        solution = Solution(task.task_id, outcome="failed", evidence={"error": str(error)})
    result = score(task, solution)
    if stored:
        context.store.add_repairs([_row(context, task, solution, result, mode, model_id)])
    return result, repair


def tasks_in_store(context: StageContext, tasks: Sequence[SWETask]) -> list[str]:
    """The ids of those tasks that the store has; results of others are kept nowhere."""
    ids = json.dumps([task.task_id for task in tasks])
    rows = context.store.query(
        "SELECT id FROM swe_tasks WHERE id IN (SELECT value FROM json_each(?))", (ids,)
    )
    return [str(row["id"]) for row in rows]


def _row(
    context: StageContext,
    task: SWETask,
    solution: Solution,
    result: Scored,
    mode: str,
    model_id: str | None,
) -> RepairRow:
    patch = patch_of(task, solution)
    return RepairRow(
        task_id=task.task_id,
        mode=mode,
        outcome=solution.outcome,
        candidates=solution.candidates,
        seconds=solution.seconds,
        patch=patch,
        evidence={_KEPT: _written(result)},
        confidence=solution.confidence,
        model_id=model_id,
        stage_run_id=context.stage_run_id,
    )


def patch_of(task: SWETask, solution: Solution) -> str:
    """The answer as a unified diff against the task's tree; "" where there is none."""
    if not solution.patches:
        return ""
    after = solution.patches[0]
    known = {path: task.code_before[path] for path in after if path in task.code_before}
    if task.tree is not None:
        known |= {path: task.tree.text(path) for path in after if path in task.tree.files()}
    return unified_diff(known, after)


def _written(result: Scored) -> dict[str, Any]:
    """Plain JSON, which has no infinity: a rank beyond all is a text."""
    return {
        name: _BEYOND if value == float("inf") else value for name, value in asdict(result).items()
    }


def _read(document: dict[str, Any]) -> Scored:
    values: dict[str, Any] = {
        name: float("inf") if value == _BEYOND else value for name, value in document.items()
    }
    return Scored(**values)
