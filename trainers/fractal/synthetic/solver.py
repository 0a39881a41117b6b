"""The analytic solver: the yardstick that the report compares the model's localisation with.

Nothing that repairs uses it.
"""

from trainers.fractal.synthetic.data import operands
from trainers.fractal.synthetic.programs import ChainProgram, Root, SyntheticTask, run
from trainers.synthetic_settings import DifficultyConfig


def fixes(
    difficulty: DifficultyConfig, task: SyntheticTask, program: ChainProgram
) -> dict[int, list[int]]:
    """The single operands that would make a program right: by root, all that do."""
    wrong = [k for k, stage in enumerate(program.stages) if not _right(task, k, stage)]
    if len(wrong) != 1:
        return {}
    found: dict[int, list[int]] = {}
    (number,) = wrong
    stage = program.stages[number]
    first = sum(len(before) for before in program.stages[:number])
    for place, root in enumerate(stage):
        for operand in operands(difficulty, root.op):
            changed = (*stage[:place], Root(root.op, operand), *stage[place + 1 :])
            if _right(task, number, changed):
                found.setdefault(first + place, []).append(operand)
    return found


def _right(task: SyntheticTask, number: int, stage: tuple[Root, ...]) -> bool:
    return run(task.values[number], stage)[-1] == task.values[number + 1]
