"""Random tasks of a given difficulty, and their splits: by a hash of each stage, so by rule.

A stage of a task is a pair of values, from where to where. All stages of a task are of its split,
so that no network meets in training what a validation or test task asks of it, not even a part.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator

from trainers.fractal.synthetic.programs import ChainProgram, Op, Root, Stage, SyntheticTask, apply
from trainers.synthetic_settings import DifficultyConfig

Split = Literal["train", "validation", "test"]
# Of ten hash values eight are train, then one each.
_TENTHS: tuple[Split, ...] = (*("train",) * 8, "validation", "test")
_TRIES = 200  # for a stage of the split from one value; then the program is begun anew


@dataclass(frozen=True)
class Example:
    """A task and the program that it was made from."""

    task: SyntheticTask
    program: ChainProgram


def split_of(start: int, end: int) -> Split:
    """The split that a stage from one value to another belongs to, by SHA-256."""
    digest = hashlib.sha256(f"{start} {end}".encode()).digest()
    return _TENTHS[int.from_bytes(digest[:8], "big") % 10]


def operands(difficulty: DifficultyConfig, op: Op) -> range:
    """The operands that an operation may have."""
    if op.additive:
        return range(1, difficulty.max_addend + 1)
    return range(2, difficulty.max_factor + 1)


class ExampleStream:
    """Draws programs in canonical form, each with the task that shows its checkpoints.

    Canonical: additive and multiplicative operations take turns, since two in a row would be one.
    """

    def __init__(self, difficulty: DifficultyConfig, split: Split, rng: Generator) -> None:
        self._difficulty, self._split, self._rng = difficulty, split, rng
        self._moves: dict[tuple[int, bool], list[list[tuple[Root, int]]]] = {}

    def draw(self, length: int) -> Example:
        """One program of ``length`` roots."""
        while True:
            stages, values = self._program(length)
            if sum(len(stage) for stage in stages) == length:
                return Example(SyntheticTask(tuple(values), length), ChainProgram(tuple(stages)))

    def _program(self, left: int) -> tuple[list[Stage], list[int]]:
        """Stages and the values between them; fewer roots where a stage was not found."""
        bounds = self._difficulty
        values = [self._below(bounds.max_value - bounds.min_value + 1) + bounds.min_value]
        stages: list[Stage] = []
        additive = bool(self._below(2))
        while left:
            size = min(1 + self._below(bounds.stage_roots), left)
            stage = self._stage(values[-1], size, additive)
            if stage is None:
                break
            stages.append(stage[0])
            values.append(stage[1])
            additive ^= bool(size % 2)
            left -= size
        return stages, values

    def _stage(self, start: int, size: int, additive: bool) -> tuple[Stage, int] | None:
        for _ in range(_TRIES):
            steps: list[Root] = []
            value = start
            while len(steps) < size:
                choices = self._possible(value, additive ^ bool(len(steps) % 2))
                if not choices:
                    break
                moves = choices[self._below(len(choices))]
                root, value = moves[self._below(len(moves))]
                steps.append(root)
            if len(steps) == size and value != start and split_of(start, value) == self._split:
                return tuple(steps), value
        return None

    def _possible(self, value: int, additive: bool) -> list[list[tuple[Root, int]]]:
        """By operation, the roots that keep a value whole and within bounds, and what comes out."""
        key = (value, additive)
        if key not in self._moves:
            by_op = (self._moves_of(value, op) for op in Op if op.additive == additive)
            self._moves[key] = [moves for moves in by_op if moves]
        return self._moves[key]

    def _moves_of(self, value: int, op: Op) -> list[tuple[Root, int]]:
        bounds = self._difficulty
        after = ((o, apply(value, op, o)) for o in operands(bounds, op))
        return [
            (Root(op, operand), end)
            for operand, end in after
            if end is not None and bounds.min_value <= end <= bounds.max_value
        ]

    def _below(self, limit: int) -> int:
        return int(self._rng.random() * limit)


def examples(
    difficulty: DifficultyConfig, split: Split, count: int, seed: int, roots: int | None = None
) -> list[Example]:
    """``count`` different tasks of one split, the same for the same arguments.

    Args:
        difficulty: of the programs.
        split: which tasks are taken.
        count: how many.
        seed: of the drawing.
        roots: the length of all programs; None draws it between the difficulty's bounds.
    """
    rng = np.random.default_rng(seed)
    stream = ExampleStream(difficulty, split, rng)
    found: dict[str, Example] = {}
    while len(found) < count:
        length = roots or int(rng.integers(difficulty.min_roots, difficulty.max_roots + 1))
        example = stream.draw(length)
        found.setdefault(example.task.statement, example)
    return list(found.values())
