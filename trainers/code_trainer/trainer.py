"""CodeTrainer: try a task, look at how it went, learn from that and from the truth (seed: §4.1)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from memory.hologram.consolidation import ConsolidationFact
from memory.repair_records import RepairRow, Source
from memory.store import Store
from sandbox import Sandbox
from trainers.code_trainer.comparison import exact
from trainers.code_trainer.curriculum import DIFFICULTIES, CodeCurriculum, Record
from trainers.code_trainer.curriculum import difficulty as difficulty_of
from trainers.code_trainer.diffs import unified_diff
from trainers.code_trainer.encoder import CodeEncoder
from trainers.code_trainer.knowledge import MEMORY, Knowledge
from trainers.code_trainer.pattern_store import mined_of_task, remember_task
from trainers.code_trainer.results import Solution
from trainers.code_trainer.solver import Solver
from trainers.config import CodeConfig
from trainers.tasks.swe.types import SWETask

PRACTICE = "train"
"""The mode under which the store has the tries on train tasks."""

_CONSOLIDATE_EVERY = 20  # tasks: training the memory costs a second however few facts are new
_TRIES = """
SELECT r.task_id, count(*) AS tries, sum(r.outcome IN ('resolved', 'plausible')) AS solved
FROM repairs r WHERE r.mode = ? GROUP BY r.task_id
"""


@dataclass
class CodeTrainer:
    """Trains on SWE tasks; all that it learns lies in the store when a task is done.

    Args:
        store: what is learned goes there.
        knowledge: what is known; its memory is the store's.
        sandbox: where programs run.
        config: budgets and parts.
        seed: of the curriculum and the untrained order.
        stage_run_id: of the run that it works in.
    """

    store: Store
    knowledge: Knowledge
    sandbox: Sandbox
    config: CodeConfig
    seed: int = 0
    stage_run_id: int | None = None

    def __post_init__(self) -> None:
        self._solver = Solver(self.knowledge, self.sandbox, self.config, seed=self.seed)
        self._encoder = CodeEncoder(self.knowledge.container.codebook)
        self._memory = self.knowledge.container.create_neural_memory(MEMORY)

    def train_on_task(self, task: SWETask) -> bool:
        """Try a train task and learn from it; True when the answer was right.

        Raises:
            SplitGuardError: the task is not a train task; then nothing is learned.
        """
        solution, repair = self._solver.attempt(task)
        source = Source(task_id=task.task_id, stage_run_id=self.stage_run_id)
        if repair is not None and repair.attempts:
            self.knowledge.container.constraints.record(repair.attempts, source)
        remember_task(self.store, task, self.stage_run_id)
        # Stored before the repair is: a task that has one counts as done.
        self._memory.consolidate(self._truth(task), stage_run_id=self.stage_run_id, train=False)
        if self._memory.pending >= _CONSOLIDATE_EVERY:
            self.consolidate()
        right = is_right(task, solution)
        self.store.add_repairs([self._row(task, solution, right=right)])
        return right

    def consolidate(self) -> None:
        """Train the neural memory on the facts that it was not trained on yet."""
        self._memory.consolidate([], stage_run_id=self.stage_run_id)

    def run_continuous(
        self,
        curriculum: CodeCurriculum,
        max_rounds: int = 100,
        validate_every: int = 10,
        *,
        validate: Callable[[], float] | None = None,
    ) -> dict[str, Any]:
        """Practise round after round (seed: ``run_continuous``).

        Args:
            curriculum: train tasks.
            max_rounds: rounds of ``config.tasks_per_round`` tasks.
            validate_every: rounds between two validations.
            validate: gives the accuracy on tasks that were not trained on.

        Returns:
            ``rounds``: by round what was tried and solved, and the accuracy where it was measured;
            ``best_accuracy``.
        """
        rounds: list[dict[str, Any]] = []
        best = 0.0
        for number in range(1, max_rounds + 1):
            tasks = self.choose(curriculum, self.config.tasks_per_round, self.seed + number)
            right = sum(self.train_on_task(task) for task in tasks)
            self.consolidate()
            told: dict[str, Any] = {"round": number, "tried": len(tasks), "right": right}
            if validate is not None and number % validate_every == 0:
                told["accuracy"] = validate()
                best = max(best, told["accuracy"])
            rounds.append(told)
        return {"rounds": rounds, "best_accuracy": best}

    def choose(self, curriculum: CodeCurriculum, count: int, seed: int) -> list[SWETask]:
        """The next tasks of a curriculum, by how the tries that the store knows went."""
        tries = {row["task_id"]: row for row in self.store.query(_TRIES, (PRACTICE,))}
        records = {name: _record(curriculum.level(name), tries) for name in DIFFICULTIES}
        return curriculum.choose(
            count, records, {name: row["tries"] for name, row in tries.items()}, seed
        )

    def _truth(self, task: SWETask) -> list[ConsolidationFact]:
        """That this issue is answered by the patterns that its truth shows, the most telling one.

        A pattern that many fixes show says more of the next issue than the one of this fix alone.
        """
        shown = {item.pattern.key for item in mined_of_task(task)}
        counts = self.knowledge.library.counts
        known = sorted((key for key in shown if key in counts), key=lambda k: -counts[k].tasks)
        key = self._encoder.encode_issue(task.issue_text)
        return [
            ConsolidationFact(key_vector=key, value_label=label, task_id=task.task_id)
            for label in known[:1]
        ]

    def _row(self, task: SWETask, solution: Solution, *, right: bool) -> RepairRow:
        patched = {**task.code_before, **(solution.patches[0] if solution.patches else {})}
        return RepairRow(
            task_id=task.task_id,
            mode=PRACTICE,
            outcome=solution.outcome,
            candidates=solution.candidates,
            seconds=solution.seconds,
            patch=unified_diff(task.code_before, patched) if solution.patches else "",
            evidence={"difficulty": difficulty_of(task), "right": right, **solution.evidence},
            confidence=solution.confidence,
            stage_run_id=self.stage_run_id,
        )


def is_right(task: SWETask, solution: Solution) -> bool:
    """True when the tests that judge say so, or where none does, when a patch is the truth's."""
    if solution.outcome in ("resolved", "plausible"):
        return True
    return any(exact({**task.code_before, **one}, task.code_after) for one in solution.patches)


def _record(tasks: Sequence[SWETask], tries: Mapping[str, Mapping[str, int]]) -> Record:
    found = [tries[task.task_id] for task in tasks if task.task_id in tries]
    return Record(sum(row["tries"] for row in found), sum(row["solved"] for row in found))
