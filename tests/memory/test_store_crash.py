"""A writer that is killed anywhere loses nothing that it was told is stored, and breaks nothing."""

import json
import random
import threading
from pathlib import Path

import pytest
from test_store_processes import start_writer

from memory.maintenance import verify
from memory.store import Store

KILLS = 20


@pytest.mark.slow
def test_sigkill_at_random_moments_loses_no_acknowledged_row(tmp_path: Path):
    path = tmp_path / "state" / "kent.db"
    moments = random.Random(20261122)
    acknowledged: dict[str, set[int]] = {}
    models: set[str] = set()
    for kill in range(KILLS):
        problem_id = f"p/{kill % 3}"  # a later life finds part of its work done
        for line in killed_after(path, problem_id, moments.uniform(0.0, 0.25)):
            told = json.loads(line)
            acknowledged.setdefault(problem_id, set()).add(told["batch"])
            models |= {told["model"]} if "model" in told else set()
        with Store.open(path) as store:
            assert_all_there(store, acknowledged, models)
        assert verify(path.parent) == []
    assert sum(map(len, acknowledged.values())) > KILLS
    assert models


def killed_after(path: Path, problem_id: str, seconds: float) -> list[str]:
    """The lines that a writer told before it was killed, ``seconds`` after its first one."""
    writer = start_writer(path, problem_id, 100_000, 5)
    assert writer.stdout is not None
    lines = [writer.stdout.readline()]
    timer = threading.Timer(seconds, writer.kill)
    timer.start()
    lines += writer.stdout.readlines()
    timer.join()
    writer.stdout.close()
    assert writer.wait() == -9
    return [line for line in lines if line.endswith("\n")]


def assert_all_there(store: Store, acknowledged: dict[str, set[int]], models: set[str]) -> None:
    for problem_id, batches in acknowledged.items():
        expected = {batch * 5 + number for batch in batches for number in range(5)}
        found = store.sample_indexes([problem_id], "gen", "visible1/v1", "h")[problem_id]
        assert expected <= found
        assert len(found) % 5 == 0  # no batch is there in part
    complete = {row.id for row in store.models("critic") if row.checkpoint is not None}
    assert models <= complete
    # Only the newest model can be the one that was cut, and the next life takes it up again.
    assert [row.status for row in store.models("critic")][:-1].count("training") == 0
