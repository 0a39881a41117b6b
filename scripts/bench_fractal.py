"""What a flood costs: candidates and roots against the time of one, and digit by digit beside it.

Run: python scripts/bench_fractal.py
Both renderers have the same sizes and random weights, on which the cost does not depend. A table
goes to standard error, one JSON document to standard output; times are the medians of the repeats.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from trainers.fractal.synthetic.autoregressive import AutoregressiveRenderer
from trainers.fractal.synthetic.data import ExampleStream
from trainers.fractal.synthetic.domain import SyntheticDomain
from trainers.fractal.synthetic.embedding import NetworkSpec
from trainers.fractal.synthetic.model import untrained
from trainers.fractal.synthetic.programs import ChainProgram, Op, Root, SyntheticTask
from trainers.fractal.synthetic.rows import stage_rows
from trainers.synthetic_settings import SyntheticConfig

# (candidates, roots), the pairs that are compared and the others between them.
SHAPES = ((1, 8), (64, 8), (1, 4), (1, 16), (64, 4), (64, 16))


def main() -> None:
    """Measure every shape, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--repeat", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    config = SyntheticConfig()
    bench = Bench(config, asked.seed, asked.repeat)
    rows = [bench.row(candidates, roots) for candidates, roots in SHAPES]
    compared = ratios(rows)
    show(rows, compared)
    settings = vars(asked) | {"network": config.network.model_dump()}
    print(json.dumps({"settings": settings, "rows": rows, "ratios": compared}, indent=2))


class Bench:
    """One model of each kind, and tasks of any length."""

    def __init__(self, config: SyntheticConfig, seed: int, repeat: int) -> None:
        self._config, self._repeat = config, repeat
        model = untrained(config.network, config.difficulty, seed)
        self._renderer = model.renderer
        self._domain = SyntheticDomain(model, config)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._slow = AutoregressiveRenderer(NetworkSpec(**config.network.model_dump())).eval()
        self._rng = np.random.default_rng(seed)
        self._stream = ExampleStream(config.difficulty, "train", self._rng)

    def row(self, candidates: int, roots: int) -> dict[str, Any]:
        """Milliseconds of one shape.

        ``flood``: the render of candidates that share their skeleton, as it is called by the loop;
        ``forward``: the network's pass alone, when no two candidates share a stage, so that all of
        them are computed; ``digit by digit``: the autoregressive renderer.
        """
        example = self._stream.draw(roots)
        opened = ChainProgram(
            tuple(tuple(Root(root.op) for root in stage) for stage in example.program.stages)
        )
        drafts = [opened] * candidates
        others = self._distinct(candidates, roots)
        return {
            "candidates": candidates,
            "roots": roots,
            "flood_ms": self._ms(lambda: self._domain.render(example.task, drafts, self._rng)),
            "forward_ms": self._ms(lambda: self._forward(others)),
            "digit_by_digit_ms": self._ms(lambda: self._digits(example.task, opened, candidates)),
        }

    def _distinct(self, candidates: int, roots: int) -> list[tuple[int, int, tuple[Root, ...]]]:
        """Stages of as many different programs."""
        return [
            (start, end, tuple(Root(root.op) for root in stage))
            for example in (self._stream.draw(roots) for _ in range(candidates))
            for start, end, stage in zip(
                example.task.values, example.task.values[1:], example.program.stages, strict=False
            )
        ]

    def _forward(self, stages: list[tuple[int, int, tuple[Root, ...]]]) -> None:
        with torch.inference_mode():
            self._renderer(stage_rows(stages)).operands()

    def _digits(self, task: SyntheticTask, program: ChainProgram, candidates: int) -> None:
        targets = [
            value
            for value, stage in zip(task.values[1:], program.stages, strict=True)
            for _ in stage
        ]
        ops: list[Op] = [root.op for root in program.roots]
        self._slow.render(
            torch.full((candidates,), task.values[0]),
            torch.tensor([targets] * candidates),
            torch.tensor([ops] * candidates),
            torch.Generator().manual_seed(0),
        )

    def _ms(self, call: Callable[[], object]) -> float:
        call()
        times = []
        for _ in range(self._repeat):
            began = time.perf_counter()
            call()
            times.append(time.perf_counter() - began)
        return round(1000 * statistics.median(times), 3)


def ratios(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """How much more the larger of two shapes costs, by each way."""
    by_shape = {(row["candidates"], row["roots"]): row for row in rows}
    pairs = {
        "64 candidates against 1, 8 roots": ((64, 8), (1, 8)),
        "16 roots against 4, 1 candidate": ((1, 16), (1, 4)),
        "16 roots against 4, 64 candidates": ((64, 16), (64, 4)),
    }
    return {
        name: {
            way: round(by_shape[large][f"{way}_ms"] / by_shape[small][f"{way}_ms"], 2)
            for way in ("flood", "forward", "digit_by_digit")
        }
        for name, (large, small) in pairs.items()
    }


def show(rows: list[dict[str, Any]], compared: dict[str, dict[str, float]]) -> None:
    """One table for people."""
    table = Table("", "flood", "forward, nothing shared", "digit by digit")
    for row in rows:
        shape = f"{row['candidates']} candidates of {row['roots']} roots"
        ways = ("flood_ms", "forward_ms", "digit_by_digit_ms")
        table.add_row(shape, *(f"{row[way]:.2f} ms" for way in ways))
    for name, ways_ in compared.items():
        table.add_row(name, *(f"{ratio:.2f} x" for ratio in ways_.values()))
    Console(file=sys.stderr).print(table)


if __name__ == "__main__":
    main()
