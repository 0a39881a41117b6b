"""The environment of a judged repository: an interpreter of its own with what its tests need."""

import subprocess
import sys
from pathlib import Path

from memory.files import write_atomically
from trainers.errors import TaskError
from trainers.tasks.swe.judging.recipes import PYTEST, Recipe

_SUPPORT = Path(__file__).parent / "support"
_INSTALL_S = 1800
_READY = "kent-ready"


def python_of(recipe: Recipe, folder: Path) -> Path | None:
    """The interpreter of a repository's environment; None where it is not made yet."""
    place = _place(recipe, folder)
    return place / "bin" / "python" if (place / _READY).is_file() else None


def make(recipe: Recipe, folder: Path) -> Path:
    """Make the environment where it is missing or is another recipe's; its interpreter.

    Raises:
        TaskError: the registry is out of reach, or a package cannot be installed.
    """
    place, wanted = _place(recipe, folder), "\n".join((*PYTEST, *recipe.requirements))
    python = place / "bin" / "python"
    if not (place / _READY).is_file() or (place / _READY).read_text("utf-8") != wanted:
        _run([sys.executable, "-m", "venv", "--clear", str(place)], recipe)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*install, *PYTEST, *recipe.requirements], recipe)
        write_atomically(place / _READY, wanted.encode())
    _support(place)
    return python


def _place(recipe: Recipe, folder: Path) -> Path:
    return folder / recipe.repo.replace("/", "__")


def _support(place: Path) -> None:
    """Put beside the packages what lets old projects run, and what sets up their suites."""
    packages = next((place / "lib").glob("python*/site-packages"))
    for source in sorted(_SUPPORT.glob("*.py")):
        write_atomically(packages / source.name, source.read_bytes())


def _run(command: list[str], recipe: Recipe) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_INSTALL_S)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip()
        last = said.splitlines()[-1] if said else str(error)
        raise TaskError(f"the environment of {recipe.repo} could not be made: {last}") from error
