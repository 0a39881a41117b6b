"""Releases of a judged repository: fetched from the package registry, unpacked, and dated.

A release's date is the newest date of a file in its archive.
"""

import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from memory.files import write_atomically
from trainers.errors import TaskError
from trainers.tasks.swe.judging.recipes import Recipe

_FETCH_S = 600
_DATE = ".kent-release.json"


@dataclass(frozen=True)
class Release:
    """An unpacked source archive; ``date`` in seconds since 1970."""

    package: str
    version: str
    folder: Path
    date: float

    @property
    def name(self) -> str:
        """Package and version."""
        return f"{self.package} {self.version}"


def fetch(recipe: Recipe, python: Path, folder: Path) -> list[str]:
    """Fetch and unpack the releases that are not there yet; what could not be had is told.

    Args:
        recipe: of the repository.
        python: the interpreter of its environment, whose pip asks the registry. pip has the
            archive's own set-up script tell its metadata: that code is run.
        folder: where releases lie, one folder each.
    """
    told = []
    for version in recipe.releases:
        target = folder / f"{recipe.package}-{version}"
        if (target / _DATE).is_file():
            continue
        try:
            _fetch(recipe, version, python, target)
        except TaskError as error:
            told.append(str(error))
    return told


def found(recipe: Recipe, folder: Path) -> list[Release]:
    """The releases of a repository that are there, oldest first."""
    releases = []
    for version in recipe.releases:
        target = folder / f"{recipe.package}-{version}"
        if (target / _DATE).is_file():
            date = float(json.loads((target / _DATE).read_text("utf-8"))["date"])
            releases.append(Release(recipe.package, version, target, date))
    return sorted(releases, key=lambda one: one.date)


def unpack(archive: Path, target: Path, unneeded: Sequence[str] = ()) -> None:
    """Unpack a source archive's one folder to ``target``, and note the date of its newest file.

    Args:
        archive: a ``.tar.gz``.
        target: the folder that is made, or replaced.
        unneeded: patterns of paths that are left out.

    Raises:
        TaskError: it is no such archive.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix="making-", dir=target.parent))
    try:
        with tarfile.open(archive) as members:
            date = max((member.mtime for member in members if member.isfile()), default=0)
            wanted = [one for one in members if not _matches(one.name, unneeded)]
            members.extractall(making / "all", wanted, filter="data")
        inside = list((making / "all").iterdir())
        if len(inside) != 1:
            raise TaskError(f"{archive} holds {len(inside)} folders: it is no source archive")
        write_atomically(inside[0] / _DATE, json.dumps({"date": date}).encode())
        shutil.rmtree(target, ignore_errors=True)
        inside[0].rename(target)
    except (tarfile.TarError, OSError) as error:
        raise TaskError(f"{archive} cannot be unpacked: {error}") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    path = name.partition("/")[2]
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def _fetch(recipe: Recipe, version: str, python: Path, target: Path) -> None:
    package = recipe.package
    with tempfile.TemporaryDirectory(prefix="kent-release-") as folder:
        command = [str(python), "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--no-build-isolation"]
        command += ["--no-binary", package, "--dest", folder, f"{package}=={version}"]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=_FETCH_S)
        except (OSError, subprocess.SubprocessError) as error:
            raise TaskError(f"{package} {version} could not be fetched: {_why(error)}") from error
        archives = [one for one in Path(folder).iterdir() if one.name.endswith(".tar.gz")]
        if not archives:
            raise TaskError(f"the registry has no source archive of {package} {version}")
        unpack(archives[0], target, recipe.unneeded)


def _why(error: Exception) -> str:
    said = getattr(error, "stderr", None)
    lines = (said or b"").decode(errors="replace").splitlines()
    errors = [line for line in lines if re.match(r"\s*(error|ERROR)", line)]
    return " ".join((errors[-1] if errors else str(error)).split())
