"""scripts/ctm_gpu.sh: it parses, its dry run shows valid settings and every command, in order."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "ctm_gpu.sh"


def dry_run(folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    kent = shutil.which("kent", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    env = {**os.environ, "KENT": str(kent), "PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["bash", str(SCRIPT), "--dry-run", "state"],
        cwd=folder, env={**env, **more}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_it_parses_and_names_no_path_of_a_machine():
    subprocess.run(["bash", "-n", str(SCRIPT)], check=True)
    assert not re.findall(r"(?<!\w)/(?:work|home|root|tmp)\b", SCRIPT.read_text())


def test_a_dry_run_shows_the_commands_and_runs_none(tmp_path):
    done = dry_run(tmp_path, SAMPLES="5000", SHARE="0.5")
    assert done.returncode == 0, done.stderr
    assert "data_samples = 5000" in done.stdout
    assert "curriculum_share = 0.5" in done.stdout
    commands = [line.split("ctm.toml ")[1].split() for line in done.stderr.splitlines()]
    assert [words[0] for words in commands] == ["round", "benchmark", "report", "report"]
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["ctm.toml"]


@pytest.mark.parametrize(("name", "value"), [("SHARE", "0"), ("PROFILE", "tpu")])
def test_wrong_settings_are_told_before_anything_runs(tmp_path, name, value):
    done = dry_run(tmp_path, **{name: value})
    assert done.returncode == 1
    assert "the settings are wrong" in done.stderr
