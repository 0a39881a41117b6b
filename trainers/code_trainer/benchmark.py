"""HonestCodeBenchmark: what a trained memory is worth on tasks that it never saw (seed: §5.1).

The seed's fresh solver for each task would measure nothing that was learned. Here each task meets
the trained memory read-only (``isolated``); beside it stand a solver that learned nothing
(``cold``), one memory for all tasks that learns from each, its truth too (``shared_cache``: it
leaks, and is no figure to compare), and BM25 over contents and paths.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from memory.hologram.consolidation import ConsolidationFact
from memory.hologram.container import HologramContainer
from memory.records import Figure, ModelRow
from memory.repair_records import Source
from sandbox import Sandbox
from trainers import statistics
from trainers.code_trainer import versions
from trainers.code_trainer.encoder import CodeEncoder
from trainers.code_trainer.knowledge import MEMORY, Knowledge
from trainers.code_trainer.measuring import solve_all
from trainers.code_trainer.pattern_store import mined_of_task
from trainers.code_trainer.program_repair import Repair
from trainers.code_trainer.results import Scored, Solution, figures
from trainers.code_trainer.solver import Solver
from trainers.errors import BenchmarkError
from trainers.stage import StageContext
from trainers.tasks.swe.types import SWETask

MODES = ("isolated", "cold", "shared_cache", "bm25")


@dataclass(frozen=True)
class BenchmarkResult:
    """Figures by mode, and each mode's results for paired comparisons, task by task."""

    figures: dict[str, dict[str, Figure]]
    scored: dict[str, list[Scored]]

    def against(self, mode: str, other: str, *, seed: int) -> Figure | None:
        """How much more often a mode names all files first: paired, bootstrap over tasks."""
        if mode not in self.scored or other not in self.scored:
            return None
        pairs = [
            (float(ours.file_rank < 1), float(theirs.file_rank < 1))
            for ours, theirs in zip(self.scored[mode], self.scored[other], strict=True)
            if ours.file_rank is not None and theirs.file_rank is not None
        ]
        if not pairs:
            return None
        first, second = np.array(pairs).T
        return statistics.mean_difference(first, second, seed=seed)


class HonestCodeBenchmark:
    """Measures a version, or where there is none what the store remembers.

    Args:
        context: store, settings, progress.
        sandbox: where programs run.
        container: the trained memory; nothing is written to it.
        model: the version that is measured.
        label: under which the store has the results of each mode.
    """

    def __init__(
        self,
        context: StageContext,
        sandbox: Sandbox,
        container: HologramContainer,
        model: ModelRow | None,
        label: str = "benchmark",
    ) -> None:
        self._context, self._sandbox, self._model = context, sandbox, model
        self._label = label
        self._knowledge = versions.load(context.state_dir, context.store, model, container)

    def evaluate(self, tasks: Sequence[SWETask], modes: Sequence[str] = MODES) -> BenchmarkResult:
        """Solve the tasks in each mode.

        Raises:
            BenchmarkError: the version learned from one of the tasks.
            Stopped: asked to stop.
        """
        self._refuse_seen(tasks)
        ways = {
            "isolated": self._isolated,
            "cold": self._cold,
            "shared_cache": self._shared_cache,
            "bm25": self._bm25,
        }
        scored = {mode: ways[mode](tasks) for mode in modes}
        seed = self._context.seed
        return BenchmarkResult(
            {mode: figures(found, seed=seed) for mode, found in scored.items()}, scored
        )

    def _refuse_seen(self, tasks: Sequence[SWETask]) -> None:
        known = set(self._knowledge.library.tasks)
        if self._model is not None:
            known |= self._context.store.training_tasks(self._model.id)
        seen = sorted(known & {task.task_id for task in tasks})
        if seen:
            raise BenchmarkError(
                f"{len(seen)} of the tasks were learned from, the first is {seen[0]}; "
                "measure on others, or with a state directory of its own"
            )

    def _isolated(self, tasks: Sequence[SWETask]) -> list[Scored]:
        return self._run(self._knowledge.snapshot(), tasks, "isolated")

    def _cold(self, tasks: Sequence[SWETask]) -> list[Scored]:
        return self._run(self._knowledge.cold(self._context.seed), tasks, "cold")

    def _shared_cache(self, tasks: Sequence[SWETask]) -> list[Scored]:
        shared = _Shared(self._knowledge.snapshot())
        solver = self._solver(shared.knowledge)
        mode = f"{self._label}, shared_cache"
        return solve_all(
            self._context, tasks, solver, mode=mode, model_id=self._id, after=shared.learn
        )

    def _bm25(self, tasks: Sequence[SWETask]) -> list[Scored]:
        only = _Localiser(self._knowledge.cold(self._context.seed))
        return solve_all(self._context, tasks, only, mode=f"{self._label}, bm25", model_id=self._id)

    def _run(self, knowledge: Knowledge, tasks: Sequence[SWETask], mode: str) -> list[Scored]:
        return solve_all(
            self._context,
            tasks,
            self._solver(knowledge),
            mode=f"{self._label}, {mode}",
            model_id=self._id,
        )

    def _solver(self, knowledge: Knowledge) -> Solver:
        code = self._context.settings.code
        budget = {"candidates": code.benchmark_candidates, "seconds": code.benchmark_seconds}
        config = code.model_copy(update=budget)
        return Solver(knowledge, self._sandbox, config, seed=self._context.seed)

    @property
    def _id(self) -> str | None:
        return self._model.id if self._model else None


class _Shared:
    """A copy of the memory that learns from the tasks it is measured on, and is then gone."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        self._encoder = CodeEncoder(knowledge.container.codebook)

    def learn(self, task: SWETask, repair: Repair | None) -> None:
        """Learn from how a task went, and from its truth."""
        if repair is not None and repair.attempts:
            source = Source(task_id=task.task_id)
            self.knowledge.container.constraints.record(repair.attempts, source)
        shown = [item.pattern.key for item in mined_of_task(task)]
        if shown:
            key = self._encoder.encode_issue(task.issue_text)
            fact = ConsolidationFact(key, shown[0], task_id=task.task_id)
            memory = self.knowledge.container.create_neural_memory(MEMORY)
            memory.consolidate([fact], train=False)


class _Localiser:
    """Answers with a ranking of files alone."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge

    def attempt(self, task: SWETask) -> tuple[Solution, Repair | None]:
        """Rank the files of a task that has a tree."""
        if task.tree is None:
            return Solution(task.task_id, files=tuple(task.code_before)), None
        found = self._knowledge.localise(task)
        functions = {p: tuple(name for name, _ in named) for p, named in found.functions.items()}
        return Solution(
            task.task_id, files=tuple(path for path, _ in found.files), functions=functions
        ), None


def in_json(result: BenchmarkResult, *, seed: int) -> dict[str, Any]:
    """The figures of each mode by name, and how each differs from BM25 on the same tasks."""
    document: dict[str, Any] = {
        mode: {name: figure.to_json() for name, figure in found.items()}
        for mode, found in result.figures.items()
    }
    differences = {
        mode: figure.to_json()
        for mode in result.scored
        if mode != "bm25" and (figure := result.against(mode, "bm25", seed=seed)) is not None
    }
    return document | {"against_bm25": differences}
