"""The soak and the busy machine at small sizes: what the two scripts find is as it should be."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SCRIPTS = Path(__file__).parents[2] / "scripts"


def told_by(script, *options):
    """The document that a script prints; what it thinks of it itself is in ``ok``."""
    command = [sys.executable, str(SCRIPTS / script), *options]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True, timeout=500)
    found = json.loads(done.stdout)
    assert found["ok"] == (done.returncode == 0)
    return found


def test_nothing_leaks_and_no_verdict_is_wrong():
    found = told_by("soak_sandbox.py", "--programs", "3000", "--kills", "5")
    assert found["wrong"] == []
    assert found["broken"] == []
    assert sum(found["verdicts"].values()) == found["programs"] == 3000
    assert found["kinds"]["honest"] > 2000
    assert found["kinds"]["hostile or wrong"] > 300
    assert found["kill"]["descendants"]["min"] >= 4
    assert found["kill"]["left"] == 0
    assert found["ok"], found


def test_hostile_programs_are_not_let_loose():
    command = [sys.executable, str(SCRIPTS / "soak_sandbox.py"), "--level", "D"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "invalid choice" in done.stderr


def test_a_busy_machine_makes_no_false_timeouts():
    found = told_by("busy_sandbox.py", "--programs", "50", "--busy", "3")
    assert found["wrong"] == []
    assert found["verdicts"] == {"passed": 50}
    assert found["too_long"] == {"timeout": 1}
    assert found["busy_cores"] > 0.5
    assert found["cpu_s"]["median"] >= 0.1
    assert found["ok"], found
