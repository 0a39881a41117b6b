"""The code stage: tasks, patterns, a new version, practice, the gate, and figures on test tasks."""

from typing import Any

import numpy as np

from memory.hologram.container import HologramContainer
from memory.records import Figure, ModelRow
from sandbox import Limits, Sandbox
from trainers.clock import Clock
from trainers.code_trainer import versions
from trainers.code_trainer.apart import SEED
from trainers.code_trainer.curriculum import CodeCurriculum
from trainers.code_trainer.fitting import fit_version
from trainers.code_trainer.knowledge import Knowledge
from trainers.code_trainer.learning_curve import learning_figures
from trainers.code_trainer.measuring import solve_all
from trainers.code_trainer.pattern_store import (
    mined_fixes,
    recall_library,
    remember_pairs,
    remember_task,
)
from trainers.code_trainer.results import Scored, figures
from trainers.code_trainer.shares import held_out, taken_tasks
from trainers.code_trainer.solver import Solver
from trainers.code_trainer.sources import bring_in, read_tasks
from trainers.code_trainer.trainer import PRACTICE, CodeTrainer
from trainers.gate import against_champion, carry_out, looks_so_far
from trainers.stage import StageContext, StageResult
from trainers.tasks.swe.types import SWETask

TASK_SET, PROTOCOL = "swe", "isolated"


class CodeStage:
    """Repair without a language model; what it learns lies in the store after every task."""

    name = "code"

    def why_not_due(self, context: StageContext) -> str | None:
        """None: a round always has tasks to practise on."""
        return None

    def run(self, context: StageContext) -> StageResult:
        """See :class:`trainers.stage.Stage`."""
        clock = Clock()
        with clock.timed("tasks"):
            notes = bring_in(context)
        with clock.timed("mine"):
            train = read_tasks(context.store, taken_tasks(context))
            _mine(context, train)
        limits = Limits(memory_mb=context.settings.sandbox.memory_mb)
        container = container_of(context)
        with Sandbox(workers=context.settings.sandbox.workers or None, limits=limits) as sandbox:
            run = _Run(context, sandbox, container, train, clock)
            candidate = run.candidate()
            with clock.timed("practise"):
                practised = run.practise(candidate)
            with clock.timed("gate"):
                gated = run.gate(candidate)
            with clock.timed("learning"):
                learning = run.learning()
            with clock.timed("measure"):
                measured = run.measure()
        return StageResult(
            {
                **measured,
                **gated,
                **learning,
                "practice": practised,
                "problem_set": TASK_SET,
                "protocol": PROTOCOL,
                "learned": _learned(context),
                "seconds": clock.seconds,
                "notes": notes,
            }
        )


class _Run:
    """One round's work on one set of train tasks."""

    def __init__(
        self,
        context: StageContext,
        sandbox: Sandbox,
        container: HologramContainer,
        train: list[SWETask],
        clock: Clock,
    ) -> None:
        self._context, self._sandbox, self._container = context, sandbox, container
        self._train, self._clock = train, clock
        self._held = {
            split: read_tasks(context.store, held_out(context, split))
            for split in ("validation", "test")
        }

    def candidate(self) -> ModelRow:
        """The version of this round: the one that an earlier attempt finished, or a new one."""
        context = self._context
        made = versions.version_of_round(context)
        if made is not None:
            return made
        with self._clock.timed("fit"):
            library = recall_library(context.store)
            fitted = fit_version(
                context, self._train, library, self._container.codebook, self._sandbox
            )
        ids = [task.task_id for task in self._train]
        told = f"{len(ids)} train tasks, {len(library.patterns)} patterns"
        return versions.save(context, fitted, ids, told)

    def practise(self, candidate: ModelRow) -> dict[str, Any]:
        """Try train tasks and learn from them; those that an earlier attempt tried are done."""
        context = self._context
        config = context.settings.code
        trainer = CodeTrainer(
            context.store,
            self._knowledge(candidate),
            self._sandbox,
            config,
            context.seed,
            context.stage_run_id,
        )
        done = {
            row.task_id for row in context.store.repairs(round_id=context.round_id, mode=PRACTICE)
        }
        curriculum = CodeCurriculum.of(self._train)
        chosen = trainer.choose(
            curriculum, max(config.tasks_per_round - len(done), 0), context.seed
        )
        context.progress.start("practise", len(done) + len(chosen), "tasks", done=len(done))
        for task in chosen:
            context.check_stop()
            trainer.train_on_task(task)
            context.progress.advance()
        trainer.consolidate()
        rows = context.store.repairs(round_id=context.round_id, mode=PRACTICE)
        right = sum(bool(row.evidence["right"]) for row in rows)
        levels = {name: len(curriculum.level(name)) for name in ("easy", "medium", "hard")}
        return {"tried": len(rows), "right": right, "curriculum": levels}

    def gate(self, candidate: ModelRow) -> dict[str, Any]:
        """Decide by validation tasks whether the candidate takes the champion's place."""
        context, store = self._context, self._context.store
        validation = self._held["validation"]
        ours = self._solve(candidate, validation, "validation")
        theirs_row = store.champion(versions.KIND)
        if theirs_row is not None and theirs_row.id != candidate.id:
            rival, theirs = theirs_row.id, self._solve(theirs_row, validation, "validation")
        else:
            rival, theirs = "the untrained solver", self._cold(validation, "validation")
        mine = figures(ours, seed=context.seed)
        self._store(candidate, "validation", mine)
        if candidate.status == "candidate" and validation:
            looks = 1 + looks_so_far(store, versions.KIND, candidate.id, TASK_SET, PROTOCOL)
            decision = against_champion(
                np.array([merit(one) for one in ours]),
                np.array([merit(one) for one in theirs]),
                alpha=context.settings.code.alpha,
                looks=looks,
                seed=context.seed,
            )
            carry_out(
                context,
                candidate,
                decision,
                stage="code",
                figures=_json(mine),
                alternative=_json(figures(theirs, seed=context.seed)),
                rival=rival,
            )
        return {"validation": _json(mine)}

    def learning(self) -> dict[str, Any]:
        """Where the curve stands: the version in use and a cold start on the validation tasks."""
        validation = self._held["validation"]
        scored = self._solve(self._used(), validation, "validation")
        cold = self._cold(validation, "validation")
        return {
            **learning_figures(scored, cold, seed=self._context.seed),
            "learning.train_tasks": len(self._train),
            "learning.patterns": len(recall_library(self._context.store).patterns),
        }

    def measure(self) -> dict[str, Any]:
        """Measure the version in use on test."""
        context = self._context
        used, test = self._used(), self._held["test"]
        scored = self._solve(used, test, "test")
        cold = self._cold(test, "test")
        found = figures(scored, seed=context.seed)
        found["cold.median_candidates"] = figures(cold, seed=context.seed)["median_candidates"]
        if used is not None:
            self._store(used, "test", found)
        return {
            **_json(found),
            "code": used.id if used else None,
            "code_status": context.store.model(used.id).status if used else None,
            "n_tasks": len(test),
        }

    def _used(self) -> ModelRow | None:
        """The champion, or where there is none the candidate."""
        return self._context.store.champion(versions.KIND) or versions.version_of_round(
            self._context
        )

    def _solve(self, row: ModelRow | None, tasks: list[SWETask], mode: str) -> list[Scored]:
        context = self._context
        knowledge = self._knowledge(row).snapshot()
        solver = Solver(knowledge, self._sandbox, context.settings.code, seed=context.seed)
        return solve_all(context, tasks, solver, mode=mode, model_id=row.id if row else None)

    def _cold(self, tasks: list[SWETask], mode: str) -> list[Scored]:
        context = self._context
        cold = self._knowledge(None).cold(context.seed)
        solver = Solver(cold, self._sandbox, context.settings.code, seed=context.seed)
        return solve_all(context, tasks, solver, mode=f"{mode}, untrained", model_id=None)

    def _knowledge(self, row: ModelRow | None) -> Knowledge:
        context = self._context
        return versions.load(context.state_dir, context.store, row, self._container)

    def _store(self, row: ModelRow, split: str, found: dict[str, Figure]) -> None:
        self._context.store.add_evaluation(
            row.stage_run_id, row.id, TASK_SET, split, PROTOCOL, found
        )


def merit(one: Scored) -> float:
    """What the gate compares: a repaired program, else the right file in the first place."""
    if one.passes_visible is not None:
        return float(one.passes_visible)
    return float(one.file_rank is not None and one.file_rank < 1)


def container_of(context: StageContext) -> HologramContainer:
    """The memory in the store; its codebook's seed is the first round's, and never changes."""
    return HologramContainer(context.store, context.settings.code.dimensions, SEED)


def _mine(context: StageContext, train: list[SWETask]) -> None:
    store, known = context.store, mined_fixes(context.store)
    missing = [task for task in train if task.task_id not in known]
    context.progress.start("mine patterns", len(missing), "tasks")
    for task in missing:
        context.check_stop()
        remember_task(store, task, context.stage_run_id)
        context.progress.advance()
    if context.settings.code.repair_pairs:
        store.derive_repair_pairs()
        remember_pairs(store, context.stage_run_id)


def _learned(context: StageContext) -> dict[str, int]:
    tables = ("patterns", "pattern_evidence", "facts", "constraints", "observations", "repairs")
    return {
        table: context.store.query(f"SELECT count(*) AS n FROM {table}")[0]["n"] for table in tables
    }


def _json(found: dict[str, Figure]) -> dict[str, Any]:
    return {name: figure.to_json() for name, figure in found.items()}
