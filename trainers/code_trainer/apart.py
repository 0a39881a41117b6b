"""Solves the benchmark's tasks apart from each other: what the isolating server opens and runs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from memory.hologram.consolidation import ConsolidationFact
from memory.hologram.container import HologramContainer
from memory.repair_records import Source
from memory.store import Store
from sandbox import Limits, Sandbox
from trainers.code_trainer import versions
from trainers.code_trainer.encoder import CodeEncoder
from trainers.code_trainer.knowledge import MEMORY, Knowledge
from trainers.code_trainer.pattern_store import mined_of_task
from trainers.code_trainer.program_repair import Repair
from trainers.code_trainer.results import Scored, Solution, score
from trainers.code_trainer.solver import Solver
from trainers.code_trainer.sources import read_measured
from trainers.config import TrainerSettings
from trainers.errors import TrainerError
from trainers.honest.isolation import Mode
from trainers.tasks.swe.checkout import without_history
from trainers.tasks.swe.loading import CACHE, load_tasks
from trainers.tasks.swe.notes import Notes
from trainers.tasks.swe.types import SWETask

SEED = 0
"""Of the codebook: vectors that were stored mean something under this seed only."""


@dataclass(frozen=True)
class Answer:
    """What a solver made of a task, beside the truth."""

    solution: Solution
    scored: Scored


@dataclass(frozen=True)
class OpenSolver:
    """Opens a version for the server; see :class:`trainers.honest.isolation.Opens`.

    ``snapshot``: the frozen state directory. ``cache``: a state directory whose caches of
    repositories may be used: they hold texts and counts, and nothing that was learned.
    ``task_file``: where the tasks are; "" for the snapshot's store.
    """

    settings: TrainerSettings
    snapshot: Path
    cache: Path
    model_id: str | None
    seed: int
    task_ids: tuple[str, ...]
    task_file: str = ""

    def __call__(self, mode: Mode) -> "ApartSolver":
        """Load the version, the memory and the tasks."""
        store = Store.open(self.snapshot / "kent.db", frozen=True)
        code = self.settings.code
        container = HologramContainer(store, code.dimensions, SEED, writes=False)
        row = store.model(self.model_id) if self.model_id else None
        knowledge = versions.load(self.snapshot, store, row, container, caches=self.cache)
        tasks = {task.task_id: task for task in self._tasks(store)}
        sandbox = self.settings.sandbox
        limits = Limits(memory_mb=sandbox.memory_mb)
        with Sandbox(workers=1, limits=limits) as found:
            level = found.level
        workers = sandbox.workers or None
        made = _Boxes(workers, limits, level)
        return ApartSolver(knowledge, tasks, made, self.settings, self.seed, mode)

    def _tasks(self, store: Store) -> Sequence[SWETask]:
        wanted = set(self.task_ids)
        if self.task_file:
            found = read_measured(self.settings, self.cache / CACHE, Notes())
            return [task for task in found if task.task_id in wanted]
        return list(load_tasks(store, ids=self.task_ids, cache=self.cache / CACHE))


@dataclass(frozen=True)
class _Boxes:
    """Makes sandboxes alike: each process needs one of its own."""

    workers: int | None
    limits: Limits
    level: str

    def make(self) -> Sandbox:
        return Sandbox(workers=self.workers, limits=self.limits, level=self.level)


class ApartSolver:
    """Solves tasks from what was loaded; see :class:`trainers.honest.isolation.Solves`.

    The solver is given each task without its truth. With ``shared_cache`` the memory learns from
    each task when it is answered, its truth too: that is the leak that this mode shows.
    """

    def __init__(
        self,
        knowledge: Knowledge,
        tasks: dict[str, SWETask],
        boxes: _Boxes,
        settings: TrainerSettings,
        seed: int,
        mode: Mode,
    ) -> None:
        self._tasks, self._boxes, self._config = tasks, boxes, settings.code.measured()
        self._seed, self._mode = seed, mode
        self._known = knowledge.cold(seed) if mode == "cold" else knowledge.snapshot()

    def solve(self, key: str, scratch: Path) -> Answer:
        """Answer one task and compare the answer with the truth."""
        task = self._tasks[key]
        with self._boxes.make() as sandbox:
            solver = Solver(self._known, sandbox, self._config, seed=self._seed)
            repair = None
            try:
                shown = without_history(blind(task), scratch / "tree")
                solution, repair = solver.attempt(shown)
            except TrainerError as error:
                solution = Solution(key, outcome="failed", evidence={"error": str(error)})
        if self._mode == "shared_cache":
            learn(self._known, task, repair)
        return Answer(solution, score(task, solution))


def blind(task: SWETask) -> SWETask:
    """The task as a solver may see it: without the change that was made."""
    return replace(task, code_after=task.code_before, patch="", metadata=_told(task.metadata))


def learn(knowledge: Knowledge, task: SWETask, repair: Repair | None) -> None:
    """Learn from how a task went, and from its truth."""
    container = knowledge.container
    if repair is not None and repair.attempts:
        container.constraints.record(repair.attempts, Source(task_id=task.task_id))
    shown = [item.pattern.key for item in mined_of_task(task)]
    if shown:
        key = CodeEncoder(container.codebook).encode_issue(task.issue_text)
        fact = ConsolidationFact(key, shown[0], task_id=task.task_id)
        container.create_neural_memory(MEMORY).consolidate([fact], train=False)


def _told(metadata: Any) -> dict[str, Any]:
    """What is said of a task that tells nothing of its change."""
    return {name: value for name, value in metadata.items() if name in ("sets", "version")}
