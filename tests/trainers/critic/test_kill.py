"""SIGKILL at random moments: a round that is taken up again ends with the rows of an uncut one."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from memory.maintenance import verify
from memory.store import Store

HERE = Path(__file__).parent
COUNTS = {
    "samples": "SELECT problem_id, idx, COUNT(*) AS n FROM samples GROUP BY 1, 2 ORDER BY 1, 2",
    "models": "SELECT id, kind, version FROM models ORDER BY id",
    "evaluations": "SELECT model_id, split, metric, COUNT(*) AS n FROM evaluations "
    "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    "promotions": "SELECT candidate, looks FROM promotions",
    "examples": "SELECT model_id, COUNT(*) AS n FROM training_examples GROUP BY 1",
}


def attempt(state: Path, tiny_folder: Path) -> subprocess.Popen[bytes]:
    paths = [str(HERE.parents[2]), str(HERE.parent), str(HERE), os.environ.get("PYTHONPATH", "")]
    return subprocess.Popen(
        [sys.executable, HERE / "scripted_stage.py", state, tiny_folder],
        env=os.environ | {"PYTHONPATH": ":".join(paths), "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


def rows(state: Path) -> dict[str, list[dict[str, object]]]:
    with Store.open(state / "kent.db", read_only=True) as store:
        found = {name: store.query(sql) for name, sql in COUNTS.items()}
        unjudged = store.query(
            "SELECT COUNT(*) AS n FROM samples x JOIN problems p ON p.id = x.problem_id "
            "WHERE NOT EXISTS (SELECT 1 FROM verdicts v WHERE v.program_hash = x.program_hash "
            "AND v.tests_hash = p.tests_hash)"
        )
    assert unjudged == [{"n": 0}]
    return found


@pytest.mark.slow
def test_a_killed_stage_ends_with_the_rows_of_an_uncut_one(tmp_path, tiny_folder):
    started = time.monotonic()
    assert attempt(tmp_path / "whole", tiny_folder).wait(timeout=200) == 0
    whole_s = time.monotonic() - started
    chance, kills = random.Random(5), 0
    state = tmp_path / "cut"
    state.mkdir()
    for _ in range(5):
        process = attempt(state, tiny_folder)
        try:
            # The first seconds are imports, so that moments are drawn from the later part.
            assert process.wait(timeout=whole_s * chance.uniform(0.4, 1.1)) == 0
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
    else:
        assert attempt(state, tiny_folder).wait(timeout=200) == 0
    assert kills
    assert rows(state) == rows(tmp_path / "whole")
    assert verify(state) == []
