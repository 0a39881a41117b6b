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

WORDS = (
    "benchmark", "--part", "code", "--isolated", "--shared-cache", "--json", "--seed", "7",
)  # fmt: skip


@pytest.fixture
def state(box: Box) -> Box:
    from code_rounds import TOML, fill

    box.write(TOML)
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


def run_until_killed(box: Box, answers: int) -> None:
    """Begin or go on, and kill all of it when so many answers are stored."""
    with (box.folder / "out.txt").open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "kent", *WORDS], cwd=box.folder, env=box.env,
            stdout=out, stderr=out, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for(lambda: len(stored(box)) >= answers, 300)
        kill(process)
    assert process.returncode == -signal.SIGKILL


def figures(document: dict[str, Any]) -> dict[str, Any]:
    told = document["parts"]["code"]
    compared = {name: sides["untrained"] for name, sides in told["comparisons"].items()}
    return {"rows": told["rows"], "compared": compared, "without": told["without_flagged"]}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_run_that_is_killed_goes_on_to_the_figures_of_an_unbroken_one(state: Box) -> None:
    run_until_killed(state, answers=2)
    alone = stored(state)
    assert {row[0] for row in alone} == {"benchmark, isolated"}
    assert len(alone) < 4

    run_until_killed(state, answers=6)
    both = stored(state)
    assert both[: len(alone)] == alone  # what was answered was not answered again
    assert both[-1][0] == "benchmark, shared_cache"
    with state.store() as store:
        assert not store.events()  # nothing is told before all is measured

    gone_on = json.loads(state.kent(*WORDS, timeout=500).stdout)
    assert gone_on["run"] == "run-0001"
    assert stored(state)[:4] == both[:4]
    assert len(stored(state)) == len({row[:2] for row in stored(state)}) == 12  # with bm25

    unbroken = json.loads(state.kent(*WORDS, timeout=500).stdout)
    assert unbroken["run"] == "run-0002"
    assert figures(gone_on) == figures(unbroken)
