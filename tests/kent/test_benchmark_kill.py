"""``kent benchmark`` killed in the middle: it goes on, and tells the same."""

import json
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from box import Box, wait_for

from memory.errors import StoreError
from memory.store import Store

CODE_TESTS = Path(__file__).parents[1] / "trainers" / "code_trainer"
sys.path.append(str(CODE_TESTS))

_TOML = """\
[daemon]
min_free_gb = 0
heartbeat_s = 0.2
[code]
sources = []
dimensions = 1000
benchmark_candidates = 150
benchmark_seconds = 60
generator = false
[tasks]
hub = false
"""
WORDS = ("benchmark", "--part", "code", "--json", "--seed", "7")


@pytest.fixture
def state(box: Box) -> Box:
    from code_rounds import fill

    box.write(_TOML)
    with box.store() as store:
        fill(store)
    return box


def stored(box: Box) -> list[tuple[object, ...]]:
    """Every answer of the first run that is stored, with the moment at which it was."""
    database = box.state / "benchmarks" / "run-0001" / "work" / "kent.db"
    if not database.is_file():
        return []
    try:
        with Store.open(database, read_only=True) as store:
            found = store.query("SELECT mode, task_id, created_at FROM repairs ORDER BY id")
    except StoreError:
        return []  # it is being made
    return [tuple(row[name] for name in ("mode", "task_id", "created_at")) for row in found]


def kill(process: "subprocess.Popen[bytes]") -> None:
    """SIGKILL it and all that it started."""
    first = psutil.Process(process.pid)
    family = [first, *first.children(recursive=True)]
    assert len(family) > 1  # the stage has a process of its own
    for one in family:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait()
    assert psutil.wait_procs(family, timeout=10)[1] == []


def figures(document: dict[str, Any]) -> dict[str, Any]:
    told = document["parts"]["code"]
    compared = {name: sides["untrained"] for name, sides in told["comparisons"].items()}
    return {"rows": told["rows"], "compared": compared, "without": told["without_flagged"]}


@pytest.mark.slow
@pytest.mark.parametrize(("answers", "within"), [(2, "isolated"), (6, "shared_cache")])
def test_a_run_that_is_killed_goes_on_to_the_figures_of_an_unbroken_one(
    state: Box, answers: int, within: str
) -> None:
    command = [sys.executable, "-m", "kent", *WORDS]
    with (state.folder / "out.txt").open("wb") as out:
        process = subprocess.Popen(
            command, cwd=state.folder, env=state.env, stdout=out, stderr=out,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for(lambda: len(stored(state)) >= answers, 180)
        kill(process)
    assert process.returncode == -signal.SIGKILL
    before = stored(state)
    assert before[-1][0] == f"benchmark, {within}"
    with state.store() as store:
        assert not store.events()  # nothing is told before all is measured

    gone_on = json.loads(state.kent(*WORDS, timeout=300).stdout)
    assert gone_on["run"] == "run-0001"
    kept = [row for row in before if row[0] == "benchmark, isolated"]
    after = stored(state)
    assert after[: len(kept)] == kept  # what was answered alone was not answered again
    assert len(after) == len({row[:2] for row in after}) > len(before)

    unbroken = json.loads(state.kent(*WORDS, timeout=300).stdout)
    assert unbroken["run"] == "run-0002"
    assert figures(gone_on) == figures(unbroken)
