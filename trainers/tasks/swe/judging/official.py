"""The official SWE-bench harness, where Docker runs; else there is the local judge.

Source: Jimenez et al. 2024, "SWE-bench"; package ``swebench``, module ``harness.run_evaluation``.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from trainers.errors import TaskError

_ASK_S = 30


def why_not() -> str | None:
    """None where containers can be run; else what keeps them from it."""
    tool = shutil.which("docker")
    if tool is None:
        return "there is no docker command"
    try:
        done = subprocess.run(
            [tool, "info", "--format", "{{.ServerVersion}}"],
            capture_output=True,
            text=True,
            timeout=_ASK_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"docker does not answer: {error}"
    if done.returncode:
        return (done.stderr.strip() or done.stdout.strip()).splitlines()[-1]
    return None


def resolved(
    predictions: Path, data_set: str, ids: Sequence[str], folder: Path, *, workers: int = 2
) -> dict[str, bool]:
    """Run the harness on predictions; whether each instance that it judged was resolved.

    Args:
        predictions: a file in the official form.
        data_set: the Hub's name of the set, or a JSON file.
        ids: of the instances.
        folder: where it works and leaves its reports.
        workers: containers at once.

    Raises:
        TaskError: the harness failed, or left no report.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "swebench.harness.run_evaluation"]
    command += ["--dataset_name", data_set, "--predictions_path", str(predictions.absolute())]
    command += ["--run_id", "kent", "--max_workers", str(workers), "--instance_ids", *ids]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    reports = sorted(folder.glob("*.kent.json"))
    if done.returncode or not reports:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise TaskError(f"the SWE-bench harness failed: {lines[-1] if lines else 'no report'}")
    return read_report(reports[-1])


def read_report(path: Path) -> dict[str, bool]:
    """Whether each instance of a report of the harness was resolved; errors are not in it."""
    report = json.loads(path.read_text("utf-8"))
    return {
        **dict.fromkeys(report.get("unresolved_ids", ()), False),
        **dict.fromkeys(report.get("resolved_ids", ()), True),
    }
