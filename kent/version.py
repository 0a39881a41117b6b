"""Which code runs: stored with every round and model."""

import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path


@cache
def code_version() -> str:
    """``git describe`` of the source tree, or the version of the installed package."""
    root = Path(__file__).resolve().parent.parent
    if (root / ".git").exists():
        try:
            done = subprocess.run(
                ["git", "-C", str(root), "describe", "--always", "--dirty", "--tags"],
                capture_output=True, text=True, timeout=10, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return package_version()
        if done.returncode == 0:
            return done.stdout.strip()
    return package_version()


def package_version() -> str:
    """The version in the package's metadata; ``unknown`` in a bare source tree."""
    try:
        return metadata.version("kent")
    except metadata.PackageNotFoundError:
        return "unknown"
