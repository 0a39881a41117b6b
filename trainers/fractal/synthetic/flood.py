"""Fills the open roots of many programs from one forward pass of the renderer."""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from math import log

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from trainers.fractal.domain import Rendered
from trainers.fractal.synthetic.programs import ChainProgram, Op, Root, Stage, SyntheticTask
from trainers.fractal.synthetic.renderer import Renderer
from trainers.fractal.synthetic.rows import stage_rows

Array = NDArray[np.float64]

# Operands of less than this probability are not drawn where just one root is open: a renderer that
# is sure hands back one candidate, not as many as were asked for.
_LEAST_LOG = log(1e-3)


def flood(
    renderer: Renderer,
    task: SyntheticTask,
    programs: Sequence[ChainProgram],
    temperature: float,
    rng: Generator,
) -> list[Rendered[ChainProgram]]:
    """Fill all open roots of all programs.

    Stages that programs have in common are computed once, and copies of a program are drawn
    without replacement: each candidate that comes back is another, and only those are paid for.
    """
    if not programs:
        return []
    logs, rows = _operand_logs(renderer, task, programs, temperature)
    made: list[Rendered[ChainProgram]] = []
    for program, copies in Counter(programs).items():
        places = [
            (rows[number, stage], place)
            for number, stage in enumerate(program.stages)
            for place, root in enumerate(stage)
            if root.operand is None
        ]
        if not places:
            made.append(_rendered(program, ()))
            continue
        chances = logs[tuple(zip(*places, strict=True))]  # (open roots, operands)
        made += [_rendered(program, drawn) for drawn in _draw(chances, copies, rng)]
    return made


def _operand_logs(
    renderer: Renderer,
    task: SyntheticTask,
    programs: Sequence[ChainProgram],
    temperature: float,
) -> tuple[Array, dict[tuple[int, Stage], int]]:
    """Log-probabilities (stages, places, operands) of the different stages, and their rows."""
    rows: dict[tuple[int, Stage], int] = {}
    for program in programs:
        for number, stage in enumerate(program.stages):
            if any(root.operand is None for root in stage):
                rows.setdefault((number, stage), len(rows))
    if not rows:
        return np.empty((0, 0, 0)), rows
    values = task.values
    batch = stage_rows([(values[number], values[number + 1], stage) for number, stage in rows])
    with torch.inference_mode():
        logs = renderer(batch).operands(temperature).double().numpy()
    logs[..., 0] = -np.inf  # nothing is added, and by zero nothing is divided
    return logs, rows


def _draw(logs: Array, copies: int, rng: Generator) -> list[tuple[int, ...]]:
    """Up to ``copies`` different operands for (open roots, operands), the first ones likelier."""
    if len(logs) == 1:
        # Gumbel top-k: Kool et al. 2019, without replacement.
        keys = np.where(logs[0] > _LEAST_LOG, logs[0] + rng.gumbel(size=logs.shape[1]), -np.inf)
        best = np.argsort(-keys)[:copies]
        return [(int(one),) for one in best if np.isfinite(keys[one])]
    bounds = np.exp(logs).cumsum(-1)
    points = rng.random((copies, len(logs))) * bounds[:, -1]
    drawn = (points[..., None] >= bounds).sum(-1)
    return list(dict.fromkeys(tuple(row) for row in drawn.tolist()))


@cache
def _root(op: Op, operand: int) -> Root:
    return Root(op, operand)


def _rendered(program: ChainProgram, operands: tuple[int, ...]) -> Rendered[ChainProgram]:
    """The program with its open roots filled in order; a chunk's tokens are symbol and digits."""
    left = iter(operands)
    stages = tuple(
        tuple(_root(root.op, next(left)) if root.operand is None else root for root in stage)
        for stage in program.stages
    )
    tokens = program.drafted + sum(1 + len(str(operand)) for operand in operands)
    return Rendered(ChainProgram(stages), tokens)
