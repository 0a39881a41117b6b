"""The Python files of a folder as they are now, committed or not: what `kent solve --repo` sees."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from trainers.errors import TaskError
from trainers.tasks.swe.paths import MAX_BYTES, is_code
from trainers.tasks.swe.repository import GitTree, Repository, open_repository

_ASIDE = frozenset({"node_modules", "__pycache__", "build", "dist", "site-packages"})


class WorkingTree:
    """A folder's ``.py`` files, tests left out; in a git repository those that git does not ignore.

    Args:
        folder: the root; paths are relative to it.

    Raises:
        TaskError: it is no folder, or holds no Python file.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise TaskError(f"{folder} is no folder: name the root of a repository")
        self.folder = folder.resolve()
        if not self.files():
            raise TaskError(f"{folder} holds no Python file that is no test: nothing to repair")

    @cached_property
    def _ids(self) -> dict[str, str]:
        found = {}
        for path in sorted(self._paths()):
            try:
                raw = (self.folder / path).read_bytes()
            except OSError:
                continue  # gone since it was listed, or a link to nowhere
            if len(raw) <= MAX_BYTES:
                found[path] = hashlib.sha256(raw).hexdigest()
        return found

    def files(self) -> Mapping[str, str]:
        """Content id by path: the SHA-256 of the bytes."""
        return self._ids

    def text(self, path: str) -> str:
        """The text of one of ``files()``; what is not UTF-8 in it is replaced."""
        if path not in self._ids:
            raise TaskError(f"{self.folder} has no {path}")
        try:
            with (self.folder / path).open(encoding="utf-8", errors="replace", newline="") as file:
                return file.read()
        except OSError as error:
            raise TaskError(f"{self.folder / path} cannot be read: {error.strerror}") from error

    def recency(self) -> Mapping[str, float]:
        """As git tells it of the commits up to the present one; empty where there is no git."""
        if self._git is None:
            return {}
        try:
            return GitTree(self.folder, self._git.head()).recency()
        except TaskError:
            return {}  # no commit yet

    @cached_property
    def _git(self) -> Repository | None:
        if not (self.folder / ".git").exists():
            return None
        return open_repository(self.folder)

    def _paths(self) -> Iterator[str]:
        listed = self._listed() if self._git is not None else self._walked()
        return (path for path in listed if is_code(path))

    def _listed(self) -> Iterator[str]:
        assert self._git is not None
        options = ("--cached", "--others", "--exclude-standard", "-z", "--", "*.py")
        for raw in self._git.run("ls-files", *options).split(b"\0"):
            if raw:
                yield raw.decode("utf-8", "surrogateescape")

    def _walked(self) -> Iterator[str]:
        for root, folders, names in os.walk(self.folder):
            folders[:] = [n for n in folders if n not in _ASIDE and not n.startswith(".")]
            for name in names:
                if name.endswith(".py"):
                    yield str((Path(root) / name).relative_to(self.folder).as_posix())
