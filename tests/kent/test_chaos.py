"""One trial of each kind of fault: nothing is lost, doubled or left, and every round ends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from box import ROOT

sys.path.insert(0, str(ROOT))

from scripts.chaos import Trial, _table, run_trial
from scripts.faults.catalogue import FAULTS, Fault
from scripts.faults.rows import compare
from scripts.soak import Look, judge


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_nothing_is_lost_by(fault: Fault, tmp_path: Path) -> None:
    trial = run_trial(fault, 0, tmp_path / "trial")
    if trial.skipped:
        pytest.skip(trial.skipped)
    assert (trial.lost, trial.changed, trial.doubled, trial.problems) == (0, 0, 0, [])


def test_there_are_at_least_fifteen_kinds() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 15


def test_a_row_that_is_lost_changed_or_doubled_is_counted() -> None:
    before = {"samples": [("a", 1), ("b", 2), ("c", 3)]}
    found = compare([before, before], {"samples": [("a", 1), ("b", 9), ("d", 4), ("d", 4)]})
    assert (found.lost["samples"], found.changed["samples"], found.doubled["samples"]) == (2, 2, 1)
    assert not compare([before], before)


def test_the_table_sums_up_and_names_what_was_skipped() -> None:
    trials = [Trial("x", 0, lost=2), Trial("x", 1, problems=["p"]), Trial("y", 0, skipped="no")]
    [_, x, y, total] = _table(trials)
    assert x.split() == ["x", "2", "0", "2", "0", "0", "0", "1"]
    assert "(1 skipped)" in y
    assert total.split()[:4] == ["all", "2", "0", "2"]


def test_a_soak_that_grows_is_told() -> None:
    def look(number: int, memory: int = 100, handles: int = 9, backups: int = 0) -> Look:
        parts = {"checkpoints": 0, "backups": backups, "logs": 0, "run": 0}
        return Look(number, 1.0, memory, handles, 2, 0, 1000, 0, parts)

    steady = [look(number, 100 + number % 3) for number in range(1, 61)]
    assert judge(steady, 20) == []
    assert judge(steady[:25], 20) == ["only 25 rounds were seen"]
    grown = [look(number, 100 + number, 9 + number // 30, 5000) for number in range(1, 61)]
    found = [one.split()[0] for one in judge(grown, 20)]
    assert found == ["resident", "resident", "handles", "backups"]


def test_a_soak_that_grows_in_its_backups_alone_is_told() -> None:
    """Looks that meet a backup hold more handles, so that they are not at rest."""
    parts = {"checkpoints": 0, "backups": 3000, "logs": 0, "run": 0}
    busy = {number: number % 3 > 0 for number in range(1, 61)}
    looks = [
        Look(number, 1.0, 100 + number * meets, 9 + meets, 2, 0, 999, 1, parts)
        for number, meets in busy.items()
    ]
    [found] = judge(looks, 20)
    assert found.startswith("resident memory over all looks grew")


@pytest.mark.slow
def test_a_short_soak_and_a_small_store_run(tmp_path: Path) -> None:
    for words in (
        ["scripts/soak.py", "--rounds", "14", "--from", "3"],
        ["scripts/bench_store.py", "--samples", "5000", "--repeat", "1"],
    ):
        done = subprocess.run(
            [sys.executable, *words, "--json", str(tmp_path / "out.json")], cwd=ROOT,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads((tmp_path / "out.json").read_text())
