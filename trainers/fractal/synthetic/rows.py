"""Stages as tensors: one row a stage, with the running values that its known chunks give."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainers.fractal.synthetic.numbers import UNKNOWN
from trainers.fractal.synthetic.programs import Op, Stage

PAD = len(Op)  # the operation of a place behind a stage's last root
DIGITS = 2  # of an operand, tens first


@dataclass(frozen=True)
class StageRows:
    """A batch of stages.

    Attributes:
        start: int64 (rows,), the value that a stage begins with.
        end: int64 (rows,), the value that it is to lead to.
        ops: int64 (rows, places), ``PAD`` behind a stage's last root.
        operands: int64 (rows, places), 0 where open or padded.
        open: bool (rows, places): roots whose chunk is to be rendered.
    """

    start: Tensor
    end: Tensor
    ops: Tensor
    operands: Tensor
    open: Tensor

    def __len__(self) -> int:
        return len(self.start)

    @property
    def real(self) -> Tensor:
        """Where there is a root, bool (rows, places)."""
        return self.ops != PAD

    def select(self, rows: Tensor) -> "StageRows":
        """Some rows of the batch, by index."""
        return StageRows(*(part[rows] for part in vars(self).values()))

    def opened(self, open_: Tensor) -> "StageRows":
        """The same stages with just these roots open, bool (rows, places)."""
        return StageRows(self.start, self.end, self.ops, self.operands.masked_fill(open_, 0), open_)

    def before(self) -> Tensor:
        """The value before each root, run from the start, int64 (rows, places); else UNKNOWN."""
        value, found = self.start, list[Tensor]()
        for place in range(self.ops.shape[1]):
            found.append(value)
            value = self._step(value, place, forward=True)
        return torch.stack(found, 1)

    def reached(self) -> Tensor:
        """The value after the last root, int64 (rows,); else UNKNOWN."""
        value = self.start
        for place in range(self.ops.shape[1]):
            value = self._step(value, place, forward=True)
        return value

    def after(self) -> Tensor:
        """The value that is wanted after each root, run back from the end, int64 (rows, places).

        UNKNOWN before an open root, and where no whole number leads on to what is wanted.
        """
        value, found = self.end, list[Tensor]()
        for place in reversed(range(self.ops.shape[1])):
            found.append(value)
            value = self._step(value, place, forward=False)
        return torch.stack(found[::-1], 1)

    def _step(self, value: Tensor, place: int, *, forward: bool) -> Tensor:
        """Apply the roots at one place, or undo them."""
        op, operand = self.ops[:, place], self.operands[:, place]
        sign = 1 if forward else -1
        divides = op == (Op.OP_DIV if forward else Op.OP_MUL)
        divisor = operand.clamp(min=1)
        reached = torch.where(op == Op.OP_ADD, value + sign * operand, value - sign * operand)
        scaled = torch.where(
            divides, torch.div(value, divisor, rounding_mode="floor"), value * operand
        )
        reached = torch.where((op == Op.OP_MUL) | (op == Op.OP_DIV), scaled, reached)
        exact = ~divides | ((operand > 0) & (value % divisor == 0))
        known = (value != UNKNOWN) & exact & ~self.open[:, place]
        return torch.where(op == PAD, value, torch.where(known, reached, UNKNOWN))


def stage_rows(stages: Sequence[tuple[int, int, Stage]]) -> StageRows:
    """Rows from (start, end, stage)."""
    places = max((len(stage) for _, _, stage in stages), default=0)
    ops = [[root.op for root in stage] + [PAD] * (places - len(stage)) for _, _, stage in stages]
    operands = [
        [root.operand or 0 for root in stage] + [0] * (places - len(stage))
        for _, _, stage in stages
    ]
    open_ = [
        [root.operand is None for root in stage] + [False] * (places - len(stage))
        for _, _, stage in stages
    ]
    ends = torch.tensor([(start, end) for start, end, _ in stages], dtype=torch.int64).view(-1, 2)
    shape = (len(stages), places)
    return StageRows(
        ends[:, 0],
        ends[:, 1],
        torch.tensor(ops, dtype=torch.int64).view(shape),
        torch.tensor(operands, dtype=torch.int64).view(shape),
        torch.tensor(open_, dtype=torch.bool).view(shape),
    )


def digits_of(operands: Tensor) -> Tensor:
    """int64 (...) to (..., DIGITS), tens first."""
    places = torch.tensor([10**i for i in reversed(range(DIGITS))])
    return (operands[..., None] // places) % 10
