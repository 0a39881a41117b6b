"""Real bugs of QuixBugs and HumanEvalFix, repaired by a model and judged by running their tests."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from memory.records import Figure
from sandbox import Limits, Program, Sandbox, Tests, Word, tests_from_json
from trainers import statistics
from trainers.ctm.data.bugs_real import FILES
from trainers.ctm.data.grid import CTMGridEncoder, GridError
from trainers.ctm.editable import TextProgram
from trainers.ctm.repair import Repairer
from trainers.ctm.repair_path import Repair
from trainers.tasks.swe.notes import Notes
from trainers.tasks.swe.reading import read_tasks
from trainers.tasks.swe.types import SWETask

ALONE, PROPOSED = 4, 32
"""Programs that a bug is edited to: where the likeliest counts, and where visible tests choose."""

_TRIED = Limits(cpu_s=0.2, wall_s=6.0, memory_mb=256)
"""Of a proposal under the visible tests: one that never ends costs the time of hundreds else."""


def real_bugs(folder: Path | None, notes: Notes) -> list[SWETask]:
    """The programs with tests of a data folder; none where it has no such file."""
    files = [folder / file for file in FILES.values()] if folder is not None else []
    return [
        task
        for file in files
        if file.is_file()
        for task in read_tasks(file, notes=notes)
        if task.judge is not None and task.judge.kind == "program"
    ]


@dataclass(frozen=True)
class RealBugs:
    """Programs that are known to be wrong.

    Attributes:
        tasks: each a program with tests.
        encoder: to the model's grid.
        workers: of the sandbox; None: its own choice.
        memory_mb: that one program may take.
    """

    tasks: Sequence[SWETask]
    encoder: CTMGridEncoder
    workers: int | None
    memory_mb: int

    def executed(self, repairer: Repairer) -> Figure:
        """Of real bugs, the share whose likeliest repair passes all tests; n 0 without data.

        That they are bugs is known, so to leave a program alone is not among the repairs.
        """
        texts: dict[int, str] = {}
        for number, found in self._candidates(repairer, ALONE):
            edited = [one for one in found if one.moves]
            if edited:
                texts[number] = cast(TextProgram, edited[0].program).text
        return self._right(texts)

    def proposed(self, repairer: Repairer) -> Figure:
        """Of real bugs, the share right where the first edit that passes what is visible is taken.

        That is the model as it works in the fractal loop: it proposes, visible tests choose.
        """
        jobs: list[Program] = []
        texts: dict[str, str] = {}
        for number, found in self._candidates(repairer, PROPOSED):
            visible = _tests(self.tasks[number])[0]
            for place, one in enumerate(found):
                key = f"{number} {place}"
                texts[key] = cast(TextProgram, one.program).text
                jobs.append(Program(key, texts[key], visible, limits=_TRIED))
        first: dict[int, int] = {}
        with self._sandbox() as box:
            for verdict in box.run_many(jobs):
                number, place = map(int, verdict.key.split())
                if verdict.word is Word.PASSED:
                    first[number] = min(place, first.get(number, place))
        return self._right({n: texts[f"{n} {place}"] for n, place in first.items()})

    def _candidates(self, repairer: Repairer, count: int) -> Iterator[tuple[int, list[Repair]]]:
        """Of each real bug that fits the grid, by its number: whole repairs, likeliest first."""
        for number, task in enumerate(self.tasks):
            program = TextProgram.of(_broken(task), self.encoder)
            try:
                yield number, repairer.candidates(program, count)
            except GridError:
                continue

    def _right(self, texts: Mapping[int, str]) -> Figure:
        """The share of the real bugs whose text, by the bug's number, passes all of their tests."""
        jobs = [
            Program(f"{number} {part}", text, tests)
            for number, text in texts.items()
            for part, tests in enumerate(_tests(self.tasks[number]))
        ]
        passed = dict.fromkeys(texts, True)
        with self._sandbox() as box:
            for verdict in box.run_many(jobs):
                passed[int(verdict.key.split()[0])] &= verdict.word is Word.PASSED
        if not self.tasks:
            return Figure(None, None, None, 0)
        return statistics.wilson(sum(passed.values()), len(self.tasks))

    def _sandbox(self) -> Sandbox:
        return Sandbox(workers=self.workers, limits=Limits(memory_mb=self.memory_mb))


def _broken(task: SWETask) -> str:
    return next(iter(task.code_before.values()))


def _tests(task: SWETask) -> list[Tests]:
    """All tests of a program, the visible ones and the hidden ones."""
    judge = task.judge
    found = (judge.visible, judge.hidden) if judge is not None else ()
    return [tests_from_json(dict(one)) for one in found if one]
