"""The arithmetic of a cluster's size, by hand on one example."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.cluster_size import Rates, most_gpus, size

ROOT = Path(__file__).resolve().parents[3]
RATES = Rates(10, 500, 40_000, 60_000, 1000, distinct=0.5, runs=2)


def test_one_example_by_hand():
    found = size(64, RATES)
    assert (found.samples, found.runs, found.rows) == (640, 640, 1280)
    assert found.sandbox_cores == pytest.approx(1.28)
    assert found.store_share == pytest.approx(640 / 40_000 + 640 / 60_000)
    assert found.process_share == pytest.approx((640 / 4 + 640 / 32) / 1000)


def test_the_most_gpus_are_those_of_what_is_full_first():
    assert size(most_gpus(RATES), RATES).process_share <= 1
    assert size(most_gpus(RATES) + 1, RATES).process_share > 1


def test_the_command_shows_the_arithmetic():
    rates = ("--samples-per-gpu-s", "10", "--programs-per-core-s", "500", "--units-per-s", "1000",
             "--samples-stored-per-s", "40000", "--verdicts-stored-per-s", "60000")  # fmt: skip
    script = ROOT / "scripts" / "cluster_size.py"
    done = subprocess.run(
        [sys.executable, str(script), *rates], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "| 8 | 80 | 216 |" in done.stdout
    assert "samples/s = GPUs x 10" in done.stdout
