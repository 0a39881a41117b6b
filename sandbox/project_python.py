"""The interpreter that has a project's dependencies: what it must be able to read, and no more.

It is asked once, outside the walls: its packages are the user's own. Folders that it imports from
but that lie elsewhere (a project installed in editable form, KENT's own sources) are not shown.
"""

import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.worker.walls import SYSTEM

ASK_S = 60
_QUESTION = """
import importlib.util, json, sys
print(json.dumps({
    "executable": sys.executable,
    "base_executable": getattr(sys, "_base_executable", sys.executable),
    "prefix": sys.prefix,
    "base_prefix": sys.base_prefix,
    "path": [folder for folder in sys.path if folder],
    "pytest": importlib.util.find_spec("pytest") is not None,
}))
"""


@dataclass(frozen=True)
class Interpreter:
    """Where it is, the files and folders that it needs, and where it imports from."""

    executable: str
    visible: tuple[str, ...]
    path: tuple[str, ...]

    @property
    def covered(self) -> str:
        """Return what of it the /tmp of a namespace would cover; "" for nothing."""
        return next((path for path in self.visible if path.startswith("/tmp/")), "")


@cache
def interpreter(python: str) -> Interpreter:
    """Ask the interpreter ``python`` for what it needs.

    Raises:
        SandboxError: it does not run, or has no pytest.
    """
    command = [python, "-I", "-c", _QUESTION]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=ASK_S)
        told = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise SandboxError(f"the interpreter {python} does not run: {error}") from error
    if not told["pytest"]:
        raise SandboxError(f"the interpreter {python} has no pytest: install it there")
    wanted = [f"{told['base_prefix']}/{name}" for name in ("lib", "lib64")]
    wanted += [told["executable"], told["base_executable"]]
    if Path(told["prefix"], "pyvenv.cfg").exists():
        wanted.append(told["prefix"])
    steps = [step for path in wanted if Path(path).exists() for step in _steps(path)]
    visible = _tops([*SYSTEM, *steps])
    return Interpreter(told["executable"], visible, tuple(told["path"]))


def _steps(path: str) -> list[str]:
    """Return every link on the way to ``path``, each under its real folder, and the real end."""
    left = path.strip("/").split("/")
    at, steps = "/", []
    while left:
        part = left.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            at = str(Path(at).parent)
            continue
        here = str(Path(at, part))
        if not Path(here).is_symlink():
            at = here
            continue
        steps.append(here)
        target = os.readlink(here)  # noqa: PTH115 - as it is written, not made a path
        left = target.split("/") + left
        at = "/" if target.startswith("/") else at
        if len(steps) > 40:
            raise SandboxError(f"the links on the way to {path} do not end")
    return [*steps, at]


def _tops(paths: Iterable[str]) -> tuple[str, ...]:
    """Drop what lies below another: it is shown with it."""
    each = set(paths)
    return tuple(
        sorted(p for p in each if not any(str(above) in each for above in Path(p).parents))
    )
