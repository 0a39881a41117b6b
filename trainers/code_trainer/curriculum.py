"""Which tasks are tried next: by difficulty, and by where there is most to learn now."""

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from trainers.code_trainer.regions import regions
from trainers.tasks.swe.types import SWETask

Difficulty = Literal["easy", "medium", "hard"]
DIFFICULTIES: tuple[Difficulty, ...] = get_args(Difficulty)
EASY_LINES = 5
"""An easy task changes one region of one file, by at most as many lines."""

_PRIOR = {"easy": (2.0, 2.0), "medium": (1.0, 3.0), "hard": (1.0, 9.0)}
_FLOOR = 0.1


def difficulty(task: SWETask) -> Difficulty:
    """How hard a task is: by files, regions and lines of its truth (research page, §5)."""
    changed = [
        path
        for path in sorted({*task.code_before, *task.code_after})
        if task.code_before.get(path, "") != task.code_after.get(path, "")
    ]
    if len(changed) != 1:
        return "hard"
    found = regions(task.code_before.get(changed[0], ""), task.code_after.get(changed[0], ""))
    return "easy" if len(found) == 1 and found[0].size <= EASY_LINES else "medium"


@dataclass(frozen=True)
class Record:
    """How a difficulty went so far."""

    tried: int = 0
    solved: int = 0

    def rate(self, level: Difficulty) -> float:
        """The posterior mean of the rate of success, under a prior that hard tasks rarely work."""
        good, bad = _PRIOR[level]
        return (self.solved + good) / (self.tried + good + bad)


@dataclass(frozen=True)
class CodeCurriculum:
    """SWE tasks by difficulty (seed: code trainer, phase 4)."""

    easy: tuple[SWETask, ...]
    medium: tuple[SWETask, ...]
    hard: tuple[SWETask, ...]

    @classmethod
    def of(cls, tasks: Iterable[SWETask]) -> "CodeCurriculum":
        """Sort tasks by difficulty; within one they keep their order."""
        sorted_by: dict[Difficulty, list[SWETask]] = {level: [] for level in DIFFICULTIES}
        for task in tasks:
            sorted_by[difficulty(task)].append(task)
        return cls(*(tuple(sorted_by[level]) for level in DIFFICULTIES))

    def level(self, name: Difficulty) -> tuple[SWETask, ...]:
        """The tasks of one difficulty."""
        return {"easy": self.easy, "medium": self.medium, "hard": self.hard}[name]

    def shares(self, records: Mapping[Difficulty, Record]) -> dict[Difficulty, float]:
        """What share of the next tasks each difficulty gets; they sum to 1 where there are tasks.

        A difficulty weighs as much as its outcome is open, the deviation of a coin of its rate of
        success, and never nothing: what fails always, or never, is looked at now and then.
        """
        weights = {}
        for name in DIFFICULTIES:
            rate = records.get(name, Record()).rate(name)
            weights[name] = max(math.sqrt(rate * (1 - rate)), _FLOOR) if self.level(name) else 0.0
        total = sum(weights.values())
        return {name: weight / total if total else 0.0 for name, weight in weights.items()}

    def choose(
        self,
        count: int,
        records: Mapping[Difficulty, Record],
        tries: Mapping[str, int],
        seed: int,
    ) -> list[SWETask]:
        """Choose the next tasks, easy ones first, each at most once.

        Args:
            count: how many, at most.
            records: how the difficulties went.
            tries: how often a task was tried, by id: the least tried of a difficulty come first.
            seed: breaks ties.
        """
        draw = random.Random(f"curriculum {seed}")
        shares = self.shares(records)
        waiting = {name: _least_tried(self.level(name), tries, draw) for name in DIFFICULTIES}
        quota = {name: min(round(count * shares[name]), len(waiting[name])) for name in waiting}
        spare = count - sum(quota.values())
        for name in DIFFICULTIES:  # what rounding and short lists left over, the easy ones first
            more = max(min(spare, len(waiting[name]) - quota[name]), -quota[name])
            quota[name] += more
            spare -= more
        return [task for name in DIFFICULTIES for task in waiting[name][: quota[name]]]


def _least_tried(
    tasks: Sequence[SWETask], tries: Mapping[str, int], draw: random.Random
) -> list[SWETask]:
    lots = {task.task_id: draw.random() for task in tasks}
    return sorted(tasks, key=lambda task: (tries.get(task.task_id, 0), lots[task.task_id]))
