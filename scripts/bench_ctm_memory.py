"""Memory and time of a training step of the CTM, by the cells that are computed at once.

Run: python scripts/bench_ctm_memory.py DATA [--cells 4096 8192 16384] [--ticks 8 12] [--steps 20]

DATA is a data set of ``kent tasks build-ctm``. Runs that differ in nothing but ``most_cells`` take
turns, a step each on the same batches, so that a busy machine slows all; time is the process's CPU
time. The peak is the system's own (VmHWM, reset before each step, the heap given back), less what
the process had before. Linux only. One JSON document goes to standard output.
"""

import argparse
import json
import re
import time
from pathlib import Path
from typing import Any

import torch

from trainers.ctm.config import preset
from trainers.ctm.curriculum import CurriculumStage
from trainers.ctm.data.dataset import Dataset
from trainers.ctm.recipe import Budget, Recipe
from trainers.ctm.training import CTMTrainer
from trainers.heap import give_back

_SAMPLES = 1_000_000  # of the stage: a schedule whose end is not reached


def main() -> None:
    """Measure what is asked for, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("--preset", default="cpu")
    parser.add_argument("--cells", type=int, nargs="+", default=[4096, 8192, 16384])
    parser.add_argument("--ticks", type=int, nargs="+", default=[8, 12])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--bf16", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    data = Dataset(asked.data)
    found = [row for ticks in asked.ticks for row in _measured(data, ticks, asked)]
    print(json.dumps(found, indent=1))


def _measured(data: Dataset, ticks: int, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each ``most_cells`` at so many ticks."""
    stage = CurriculumStage(
        iterations=ticks, samples=_SAMPLES, bug_types=("all",), epochs=1, lr=1e-3
    )
    config = preset(
        asked.preset,
        vocab_size=data.tokenizer.size,
        grid_height=data.height,
        grid_width=data.width,
        iterations=ticks,
    )
    runs = {
        cells: CTMTrainer(
            "ctm",
            config,
            data,
            Recipe((stage,), batch_size=asked.batch, most_cells=cells, bf16=asked.bf16),
        )
        for cells in asked.cells
    }
    cpu = dict.fromkeys(runs, 0.0)
    wall = dict.fromkeys(runs, 0.0)
    peaks: dict[int, list[float]] = {cells: [] for cells in runs}
    for step in range(asked.steps + 1):
        for cells, trainer in runs.items():
            give_back()
            before = _forget_peak()
            started, begun = time.process_time(), time.monotonic()
            trainer.train(Budget(steps=1))
            if step:  # the first one also makes the optimiser's moments
                cpu[cells] += time.process_time() - started
                wall[cells] += time.monotonic() - begun
                peaks[cells].append(_memory("VmHWM") - before)
    samples = asked.steps * asked.batch
    return [
        {
            "ticks": ticks,
            "most_cells": cells,
            "samples": samples,
            "peak_mb": round(max(peaks[cells])),
            "median_peak_mb": round(sorted(peaks[cells])[len(peaks[cells]) // 2]),
            "samples_per_cpu_s": round(samples / cpu[cells], 1),
            "samples_per_s": round(samples / wall[cells], 1),
        }
        for cells in runs
    ]


def _forget_peak() -> float:
    """Begin a new peak; returns the resident memory now, in MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(name: str) -> float:
    """A line of the process's status, in MB."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        raise RuntimeError(f"/proc/self/status has no {name}")
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()
