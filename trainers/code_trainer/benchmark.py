"""HonestCodeBenchmark: what a trained memory is worth on tasks that it never saw (seed: §5.1).

The seed's fresh solver for each task would measure nothing that was learned. Here each task meets
the trained memory frozen, in a process of its own (``isolated``); beside it stand a solver that
learned nothing (``cold``), one memory for all tasks that learns from each, its truth too
(``shared_cache``: it leaks, and is no figure to compare), and BM25 over contents and paths.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from memory.records import Figure, ModelRow
from trainers import statistics
from trainers.code_trainer import versions
from trainers.code_trainer.apart import OpenSolver
from trainers.code_trainer.localisation import Yardstick
from trainers.code_trainer.measuring import solve_all, solve_apart
from trainers.code_trainer.program_repair import Repair
from trainers.code_trainer.results import Scored, Solution, figures
from trainers.code_trainer.score_predictions import Resolves
from trainers.honest.audit import audit
from trainers.honest.isolation import Bench, Mode
from trainers.honest.snapshot import freeze
from trainers.stage import StageContext
from trainers.tasks.swe.types import SWETask

MODES = ("isolated", "cold", "shared_cache", "bm25")
_RANKED = (
    ("file_acc1", "file_rank", 1), ("file_acc5", "file_rank", 5),
    ("function_acc5", "function_rank", 5),
)  # fmt: skip
"""Figures by name: the rank that they ask for, and below which it is to be."""


@dataclass(frozen=True)
class BenchmarkResult:
    """Figures by mode, and each mode's results for paired comparisons, task by task.

    ``patches``: by mode and task, the answer as a unified diff; "" where there is none.
    """

    figures: dict[str, dict[str, Figure]]
    scored: dict[str, list[Scored]]
    patches: dict[str, dict[str, str]] = field(default_factory=dict)

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
        model: the version that is measured.
        label: under which the store has the results of each mode.
        task_file: where the tasks are read from; "" for the store.
        resolves: whether a repository's tests pass with a change; see ``Resolves``.
    """

    def __init__(
        self,
        context: StageContext,
        model: ModelRow | None,
        label: str = "benchmark",
        task_file: str = "",
        resolves: Resolves = lambda task, changed: None,
    ) -> None:
        self._context, self._model, self._resolves = context, model, resolves
        self._label, self._task_file = label, task_file

    def evaluate(self, tasks: Sequence[SWETask], modes: Sequence[str] = MODES) -> BenchmarkResult:
        """Solve the tasks in each mode.

        Raises:
            BenchmarkError: the version learned from one of the tasks, or from one that is not of
                the train split; a solver wrote into the snapshot.
            Stopped: asked to stop.
        """
        context = self._context
        place = context.state_dir / "benchmark" / f"round-{context.round_id}"
        snapshot = freeze(context.store, context.state_dir, place / "snapshot")
        with snapshot.open() as frozen:
            audit(frozen, [task.task_id for task in tasks])
        opens = OpenSolver(
            context.settings,
            snapshot.folder,
            context.state_dir,
            self._id,
            context.seed,
            tuple(task.task_id for task in tasks),
            self._task_file,
        )
        bench = Bench(opens, snapshot, place / "scratch", context.seed)
        patches: dict[str, dict[str, str]] = {mode: {} for mode in modes if mode != "bm25"}
        scored = {
            mode: self._apart(bench, tasks, mode, patches[mode])
            if mode in patches
            else self._bm25(tasks)
            for mode in modes
        }
        snapshot.verify()
        shutil.rmtree(place, ignore_errors=True)
        return BenchmarkResult(
            {mode: figures(found, seed=context.seed) for mode, found in scored.items()},
            scored,
            patches,
        )

    def _apart(
        self, bench: Bench, tasks: Sequence[SWETask], mode: str, patches: dict[str, str]
    ) -> list[Scored]:
        return solve_apart(
            self._context,
            tasks,
            bench,
            cast(Mode, mode),
            mode=f"{self._label}, {mode}",
            model_id=self._id,
            resolves=self._resolves,
            answered=patches.__setitem__,
        )

    def _bm25(self, tasks: Sequence[SWETask]) -> list[Scored]:
        only = _Localiser(Yardstick(self._context.state_dir / versions.INDEXES))
        return solve_all(self._context, tasks, only, mode=f"{self._label}, bm25", model_id=self._id)

    @property
    def _id(self) -> str | None:
        return self._model.id if self._model else None


class _Localiser:
    """Answers with a ranking of files alone."""

    def __init__(self, yardstick: Yardstick) -> None:
        self._yardstick = yardstick

    def attempt(self, task: SWETask) -> tuple[Solution, Repair | None]:
        """Rank the files of a task that has a tree."""
        if task.tree is None:
            return Solution(task.task_id, files=tuple(task.code_before)), None
        found = self._yardstick.rank(task)
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
    return document | {
        "against_bm25": differences,
        "items": {mode: _items(scored) for mode, scored in result.scored.items()},
    }


def _items(scored: Sequence[Scored]) -> dict[str, dict[str, bool]]:
    """Task by task what a comparison of two runs pairs."""
    found: dict[str, dict[str, bool]] = {}
    for figure, rank_name, k in _RANKED:
        ranked = ((one.task_id, getattr(one, rank_name)) for one in scored)
        found[figure] = {name: rank < k for name, rank in ranked if rank is not None}
    for figure in ("exact", "normalised", "resolved"):
        said = ((one.task_id, getattr(one, figure)) for one in scored)
        found[figure] = {name: value for name, value in said if value is not None}
    return found
