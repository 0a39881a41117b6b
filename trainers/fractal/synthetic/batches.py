"""What the networks learn from: stages of train tasks, with chunks hidden and chunks made wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainers.fractal.synthetic.data import Example, operands
from trainers.fractal.synthetic.programs import Op
from trainers.fractal.synthetic.rows import StageRows, stage_rows
from trainers.synthetic_settings import DifficultyConfig, TrainingConfig


@dataclass(frozen=True)
class Batch:
    """Stages as they are seen, and what is true of them.

    Attributes:
        seen: the stages with some roots open, and some with wrong chunks.
        operands: int64 (rows, places), those of the programs that the stages were taken from.
        original: bool (rows,): what is seen is as it was there.
        judged: bool (rows,): at most one root is open, so that the verifier could try all of it.
        sound: bool (rows,): the verifier found a chunk for the open root, if there is one, with
            which the stage passes; False where not judged.
    """

    seen: StageRows
    operands: Tensor
    original: Tensor
    judged: Tensor
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
    seen = _corrupted(opened, difficulty, config, generator)
    original = ((seen.operands == opened.operands) & (seen.ops == opened.ops)).all(1)
    judged = seen.open.sum(1) <= 1
    return Batch(seen, rows.operands, original, judged, _passable(seen, difficulty) & judged)


def _hidden(rows: StageRows, config: TrainingConfig, generator: torch.Generator) -> Tensor:
    """Which roots are open: all, one, or some, by the shares of the configuration."""
    kind = torch.rand(len(rows), 1, generator=generator)
    some = (torch.rand(rows.ops.shape, generator=generator) < 0.5) & rows.real
    one = _one_of(rows.real, generator)
    several = torch.where(kind < config.all_open + config.one_open, one, some)
    return torch.where(kind < config.all_open, rows.real, several)


def _corrupted(
    rows: StageRows,
    difficulty: DifficultyConfig,
    config: TrainingConfig,
    generator: torch.Generator,
) -> StageRows:
    """A share of the stages with one or all seen chunks wrong, some with a wrong operation too."""
    chosen = torch.rand(len(rows), 1, generator=generator) < config.corrupted
    all_ = torch.rand(len(rows), 1, generator=generator) < 0.5
    other_op = torch.rand(len(rows), 1, generator=generator) < 0.25
    seen = rows.real & ~rows.open
    wrong = torch.where(all_, seen, _one_of(seen, generator)) & chosen
    turned = _one_of(rows.real, generator) & chosen & other_op
    step = torch.randint(1, len(Op), rows.ops.shape, generator=generator)
    ops = torch.where(turned, (rows.ops + step) % len(Op), rows.ops)
    changed = StageRows(rows.start, rows.end, ops, rows.operands, rows.open)
    others = _others(changed, difficulty, generator)
    drawn = torch.where(wrong | (turned & seen), others, rows.operands)
    return StageRows(rows.start, rows.end, ops, drawn, rows.open)


def _one_of(among: Tensor, generator: torch.Generator) -> Tensor:
    """One place of each row of bool (rows, places), where it has any."""
    order = torch.rand(among.shape, generator=generator).masked_fill(~among, 2.0)
    first = torch.nn.functional.one_hot(order.argmin(1), among.shape[1]).bool()
    return first & among


def _others(rows: StageRows, difficulty: DifficultyConfig, generator: torch.Generator) -> Tensor:
    """For each place another operand that its operation may have: half of them near ones."""
    least, count = _ranges(rows, difficulty)
    far = (torch.rand(rows.ops.shape, generator=generator) * (count - 1)).long() + 1
    near = torch.randint(1, 3, rows.ops.shape, generator=generator)
    near = torch.where(torch.rand(rows.ops.shape, generator=generator) < 0.5, near, count - near)
    step = torch.where(torch.rand(rows.ops.shape, generator=generator) < 0.5, far, near)
    return least + (rows.operands - least + step) % count


def _passable(rows: StageRows, difficulty: DifficultyConfig) -> Tensor:
    """Whether a stage reaches its end with any operand in its open place, bool (rows,)."""
    most = max(difficulty.max_addend, difficulty.max_factor)
    tried = torch.arange(1, most + 1).repeat(len(rows))  # (rows * most,)
    many = rows.select(torch.arange(len(rows)).repeat_interleave(most))
    least, count = _ranges(many, difficulty)
    filled = torch.where(many.open, tried[:, None], many.operands)
    allowed = ~many.open | ((filled >= least) & (filled < least + count))
    none = torch.zeros_like(many.open)
    reached = StageRows(many.start, many.end, many.ops, filled, none).reached()
    return ((reached == many.end) & allowed.all(1)).view(-1, most).any(1)


def _ranges(rows: StageRows, difficulty: DifficultyConfig) -> tuple[Tensor, Tensor]:
    """The least operand of each place and how many there are, each int64 (rows, places)."""
    ranges = [operands(difficulty, op) for op in Op] + [range(1)]
    least = torch.tensor([one.start for one in ranges])[rows.ops]
    return least, torch.tensor([len(one) for one in ranges])[rows.ops]
