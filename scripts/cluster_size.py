"""What a cluster of so many GPUs needs and gives, from rates that were measured for one of each.

    python scripts/cluster_size.py --samples-per-gpu-s 20 --programs-per-core-s 500 \
        --samples-stored-per-s 40000 --verdicts-stored-per-s 60000 --units-per-s 2000

Every rate is the caller's: `make bench-cluster` and `make bench-store` print all but that of a GPU,
which one learns from `kent report` after a round on one. docs/cluster.md works an example.
"""

import argparse
import math
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from trainers.cluster.generation import SAMPLES_A_UNIT

PROGRAMS_A_UNIT = 32  # half of what a unit of execution holds at most: it is cut by what waits


@dataclass(frozen=True)
class Rates:
    """Per second, of one: a GPU, a core of the sandbox, the store, the stage's process.

    ``units``: handed out and taken back; infinite where it was not measured.
    ``distinct``: programs a sample, since the same text is run once (a first round on 30
    problems: 323 of 360). ``runs``: how often a program is run: on the hidden tests, on the shown
    ones, and on inputs for agreement.
    """

    samples_per_gpu: float
    programs_per_core: float
    samples_stored: float
    verdicts_stored: float
    units: float = math.inf
    distinct: float = 0.9
    runs: float = 3.0


@dataclass(frozen=True)
class Size:
    """What so many GPUs come to; shares are of what one store and one process can do."""

    gpus: int
    samples: float
    runs: float
    sandbox_cores: float
    rows: float
    store_share: float
    process_share: float


def size(gpus: int, rates: Rates) -> Size:
    """Multiply it out."""
    samples = gpus * rates.samples_per_gpu
    runs = samples * rates.distinct * rates.runs
    return Size(
        gpus=gpus,
        samples=samples,
        runs=runs,
        sandbox_cores=runs / rates.programs_per_core,
        rows=samples + runs,
        store_share=samples / rates.samples_stored + runs / rates.verdicts_stored,
        process_share=(samples / SAMPLES_A_UNIT + runs / PROGRAMS_A_UNIT) / rates.units,
    )


def most_gpus(rates: Rates) -> int:
    """How many GPUs one store and one process can serve."""
    one = size(1, rates)
    return int(1 / max(one.store_share, one.process_share))


def in_lines(counts: list[int], rates: Rates) -> list[str]:
    """The arithmetic, then a row for each count."""
    lines = [
        f"samples/s = GPUs x {rates.samples_per_gpu:g}",
        f"programs run/s = samples/s x {rates.distinct:g} distinct x {rates.runs:g} runs",
        f"sandbox cores = programs run/s / {rates.programs_per_core:g}",
        f"rows/s = samples/s + programs run/s; store = samples/s / {rates.samples_stored:g} + "
        f"programs run/s / {rates.verdicts_stored:g}",
        f"process = (samples/s / {SAMPLES_A_UNIT} + programs run/s / {PROGRAMS_A_UNIT}) / "
        f"{rates.units:g} units/s",
        "",
        "| GPUs | samples/s | programs run/s | sandbox cores | rows/s | store | process |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in (size(count, rates) for count in counts):
        lines.append(
            f"| {one.gpus} | {one.samples:.0f} | {one.runs:.0f} | {one.sandbox_cores:.2f} | "
            f"{one.rows:.0f} | {one.store_share:.1%} | {one.process_share:.1%} |"
        )
    bound = "One store and one process serve"
    if math.isinf(rates.units):
        bound = "The process is left out (--units-per-s); one store alone serves"
    return [*lines, "", f"{bound} {most_gpus(rates)} GPUs at these rates."]


def main() -> int:
    """Print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gpus", type=int, nargs="+", default=[8, 64, 1000])
    for name in ("samples-per-gpu-s", "programs-per-core-s", "samples-stored-per-s",
                 "verdicts-stored-per-s"):  # fmt: skip
        parser.add_argument(f"--{name}", type=float, required=True)
    parser.add_argument("--units-per-s", type=float, default=math.inf, help="not given: no bound")
    parser.add_argument("--distinct", type=float, default=0.9, help="programs a sample")
    parser.add_argument("--runs", type=float, default=3.0, help="of a program")
    asked = parser.parse_args()
    rates = Rates(
        asked.samples_per_gpu_s, asked.programs_per_core_s, asked.samples_stored_per_s,
        asked.verdicts_stored_per_s, asked.units_per_s, asked.distinct, asked.runs,
    )  # fmt: skip
    print("\n".join(in_lines(asked.gpus, rates)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
