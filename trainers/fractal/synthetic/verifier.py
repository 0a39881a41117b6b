"""The verifier: reads a program's text and computes it exactly; nothing is handed to ``eval``."""

import re
from dataclasses import dataclass

from trainers.fractal.domain import Judgement
from trainers.fractal.synthetic.programs import Op, Root, Stage, SyntheticTask, run

_CHUNK = re.compile(r"\s*([-+*/]) (\d{1,9})(?=\s|;|$)", re.ASCII)
_BY_SYMBOL = {op.symbol: op for op in Op}
# A stage that is wrong counts for less than half of one that is right.
_WRONG = 0.5


@dataclass(frozen=True)
class StageResult:
    """One unit test: what a stage made of the checkpoint before it, and what was wanted."""

    got: int | None
    wanted: int

    @property
    def passed(self) -> bool:
        """The stage leads to its checkpoint."""
        return self.got == self.wanted


def parse(text: str) -> list[Stage] | None:
    """The stages of a program's text; None where it is not a program."""
    stages = []
    for part in text.split(";"):
        roots, place = [], 0
        while found := _CHUNK.match(part, place):
            roots.append(Root(_BY_SYMBOL[found[1]], int(found[2])))
            place = found.end()
        if not roots or part[place:].strip():
            return None
        stages.append(tuple(roots))
    return stages


def verify(task: SyntheticTask, text: str) -> Judgement:
    """Judge a program by the task's checkpoints, each stage from the checkpoint before it.

    A program passes when every stage leads to its checkpoint exactly; then the whole leads from
    the start through all of them to the target. The evidence is the list of stage results.
    """
    stages = parse(text)
    if stages is None:
        return Judgement(False, 0.0, "not a program", [])
    if len(stages) != task.stages:
        return Judgement(False, 0.0, "another number of stages", [])
    results = [
        StageResult(run(task.values[number], stage)[-1], task.values[number + 1])
        for number, stage in enumerate(stages)
    ]
    score = sum(nearness(result) for result in results) / len(results)
    failing = [result for result in results if not result.passed]
    if not failing:
        return Judgement(True, 1.0, "passed", results)
    what = "inexact division" if all(r.got is None for r in failing) else "wrong value"
    many = "one stage" if len(failing) == 1 else "stages"
    return Judgement(False, score, f"{what} in {many}", results)


def nearness(result: StageResult) -> float:
    """1 for a stage that is right; below a half for one that is not, by how far off it is."""
    if result.passed:
        return 1.0
    if result.got is None:
        return 0.0
    return _WRONG / (1 + abs(result.got - result.wanted))
