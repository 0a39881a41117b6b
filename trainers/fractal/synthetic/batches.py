"""What the networks learn from: stages of train tasks, with chunks hidden and chunks made wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainers.fractal.synthetic.config import DifficultyConfig, TrainingConfig
from trainers.fractal.synthetic.data import Example, operands
from trainers.fractal.synthetic.programs import Op
from trainers.fractal.synthetic.rows import StageRows, stage_rows


@dataclass(frozen=True)
class Batch:
    """Stages as they are seen, and what is true of them.

    Attributes:
        seen: the stages with some roots open and some chunk wrong.
        operands: int64 (rows, places), the right ones.
        sound: bool (rows,): no chunk that is seen is wrong.
    """

    seen: StageRows
    operands: Tensor
    sound: Tensor


def pool(examples: Sequence[Example]) -> StageRows:
    """All stages of some examples."""
    return stage_rows(
        [
            (example.task.values[number], example.task.values[number + 1], stage)
            for example in examples
            for number, stage in enumerate(example.program.stages)
        ]
    )


def draw(
    stages: StageRows,
    difficulty: DifficultyConfig,
    config: TrainingConfig,
    generator: torch.Generator,
) -> Batch:
    """A batch of a pool's stages, each hidden and corrupted anew."""
    rows = stages.select(torch.randint(len(stages), (config.batch,), generator=generator))
    opened = rows.opened(_hidden(rows, config, generator))
    wrong = _wrong(opened, config, generator)
    seen = StageRows(
        opened.start,
        opened.end,
        opened.ops,
        torch.where(wrong, _others(opened, difficulty, generator), opened.operands),
        opened.open,
    )
    return Batch(seen, rows.operands, ~wrong.any(1))


def _hidden(rows: StageRows, config: TrainingConfig, generator: torch.Generator) -> Tensor:
    """Which roots are open: all, one, or some, by the shares of the configuration."""
    kind = torch.rand(len(rows), 1, generator=generator)
    some = (torch.rand(rows.ops.shape, generator=generator) < 0.5) & rows.real
    one = _one_of(rows.real, generator)
    several = torch.where(kind < config.all_open + config.one_open, one, some)
    return torch.where(kind < config.all_open, rows.real, several)


def _wrong(rows: StageRows, config: TrainingConfig, generator: torch.Generator) -> Tensor:
    """One seen chunk of a share of the stages."""
    chosen = torch.rand(len(rows), 1, generator=generator) < config.corrupted
    return _one_of(rows.real & ~rows.open, generator) & chosen


def _one_of(among: Tensor, generator: torch.Generator) -> Tensor:
    """One place of each row of bool (rows, places), where it has any."""
    order = torch.rand(among.shape, generator=generator).masked_fill(~among, 2.0)
    first = torch.nn.functional.one_hot(order.argmin(1), among.shape[1]).bool()
    return first & among


def _others(rows: StageRows, difficulty: DifficultyConfig, generator: torch.Generator) -> Tensor:
    """For each place another operand that its operation may have, where it may have another."""
    ranges = [operands(difficulty, op) for op in Op] + [range(1)]
    least = torch.tensor([one.start for one in ranges])[rows.ops]
    count = torch.tensor([len(one) for one in ranges])[rows.ops]
    step = (torch.rand(rows.ops.shape, generator=generator) * (count - 1)).long() + 1
    return least + (rows.operands - least + step) % count
