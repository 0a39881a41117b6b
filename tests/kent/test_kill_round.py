"""The script that kills a round again and again, on the tiny stage."""

import json
import subprocess
import sys

import pytest
from box import ROOT, Box


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--spare-children"]])
def test_nothing_is_lost_however_often_a_round_is_killed(box: Box, more: list[str]) -> None:
    box.plan(units=200, pause_s=0.05)
    script = ROOT / "scripts" / "kill_round.py"
    done = subprocess.run(
        [sys.executable, str(script), "--config", "kent.toml", "--state", "state", "--kills", "4",
         "--round-s", "5", *more],
        cwd=box.folder, env=box.env, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    document = json.loads(done.stdout)
    assert done.returncode == 0, document
    assert document["counts"]["problems"] == 200
    assert document["attempts"] == {"killed": 4, "done": 1}
    assert box.processes() == []
