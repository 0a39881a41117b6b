"""Tasks and programs of the synthetic domain: stages of operations that go from value to value.

Source: the seed ``fractal_coder.md``, step 1 (roots ``OP_ADD``, ...; chunks such as ``"+ 5"``).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import accumulate


class Op(IntEnum):
    """The operations; a root of the skeleton is one of them. Division must be exact."""

    OP_ADD = 0
    OP_SUB = 1
    OP_MUL = 2
    OP_DIV = 3

    @property
    def symbol(self) -> str:
        """How a chunk of this operation begins."""
        return "+-*/"[self]

    @property
    def additive(self) -> bool:
        """Adding and subtracting, as against multiplying and dividing."""
        return self in (Op.OP_ADD, Op.OP_SUB)


@dataclass(frozen=True)
class Root:
    """One operation; ``operand`` is None while the root is open."""

    op: Op
    operand: int | None = None

    @property
    def chunk(self) -> str:
        """The text, such as ``+ 5``; an open root shows a question mark."""
        return f"{self.op.symbol} {'?' if self.operand is None else self.operand}"


@dataclass(frozen=True)
class SyntheticTask:
    """Values that a program must pass through: the start, checkpoints, and the target at the end.

    The checkpoints are the task's unit tests: stage k of a program leads from ``values[k]`` to
    ``values[k + 1]``. ``roots`` is the length of the program that the task was made from; nobody
    who solves the task looks at it.
    """

    values: tuple[int, ...]
    roots: int = 0

    @property
    def stages(self) -> int:
        """How many stages a program for this task has."""
        return len(self.values) - 1

    @property
    def statement(self) -> str:
        """The task as a person reads it, and what splits are made by."""
        return f"from {self.values[0]} to " + ", then ".join(str(v) for v in self.values[1:])


Stage = tuple[Root, ...]


@dataclass(frozen=True)
class ChainProgram:
    """A program: its stages of roots. ``drafted``: roots that were drafted and not yet paid for.

    A root's index counts through all stages.
    """

    stages: tuple[Stage, ...]
    drafted: int = 0

    @property
    def roots(self) -> tuple[Root, ...]:
        """All roots in order."""
        return tuple(root for stage in self.stages for root in stage)

    @property
    def text(self) -> str:
        """Such as ``+ 5 * 2; - 3``: chunks in order, a semicolon after each stage but the last."""
        return "; ".join(" ".join(root.chunk for root in stage) for stage in self.stages)

    def stage_of(self, index: int) -> int:
        """The stage that a root belongs to.

        Raises:
            IndexError: there is no such root.
        """
        for number, end in enumerate(accumulate(len(stage) for stage in self.stages)):
            if index < end:
                return number
        raise IndexError(f"no root {index} in a program of {len(self.roots)}")

    def with_roots(self, changes: dict[int, Root], drafted: int = 0) -> "ChainProgram":
        """The same program with other roots at some indices."""
        roots = iter(changes.get(i, root) for i, root in enumerate(self.roots))
        return ChainProgram(tuple(tuple(next(roots) for _ in s) for s in self.stages), drafted)

    def with_stages(self, changes: dict[int, Stage], drafted: int = 0) -> "ChainProgram":
        """The same program with other stages at some places."""
        stages = tuple(changes.get(i, stage) for i, stage in enumerate(self.stages))
        return ChainProgram(stages, drafted)

    def paid(self) -> "ChainProgram":
        """The same program with nothing left to pay."""
        return replace(self, drafted=0)


def apply(value: int, op: Op, operand: int) -> int | None:
    """One exact step; None for a division that leaves a rest or by zero."""
    if op is Op.OP_ADD:
        return value + operand
    if op is Op.OP_SUB:
        return value - operand
    if op is Op.OP_MUL:
        return value * operand
    if operand == 0 or value % operand:
        return None
    return value // operand


def run(value: int, roots: Iterable[Root]) -> list[int | None]:
    """The value after each root; None from the first open root or inexact division on."""
    values: list[int | None] = []
    now: int | None = value
    for root in roots:
        now = None if now is None or root.operand is None else apply(now, root.op, root.operand)
        values.append(now)
    return values
