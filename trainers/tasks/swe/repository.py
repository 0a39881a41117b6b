"""A local git repository, read without a checkout: bare and shallow ones too.

Trees are listed and blobs are read by their ids, so that a repository of 100,000 files costs what
``git ls-tree`` does. Nothing is written, no remote is asked, and no command that the repository's
configuration names (external diffs, text converters) is run.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import exp
from pathlib import Path

import git
from git.exc import GitCommandError, InvalidGitRepositoryError, NoSuchPathError, ODBError

from trainers.errors import TaskError
from trainers.tasks.swe.paths import MAX_BYTES, is_code

_CHUNK = 1 << 16
RECENT_FILES, RECENT_COMMITS = 300, 2000
RECENT_DAYS = 90.0
_DAY_S = 86400.0


@dataclass(frozen=True)
class Blob:
    """A regular file in a tree: its blob's id and its size in bytes."""

    id: str
    size: int


class Repository:
    """Commits, trees and blobs of the repository at ``path``; usable from several threads.

    Raises:
        TaskError: there is no repository, or git does not trust its owner.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock = threading.Lock()
        self._pid = -1
        self.repo  # noqa: B018 - opened now, so that a wrong path is told where it was named

    @property
    def repo(self) -> git.Repo:
        """GitPython's view, with processes of its own in each process of ours."""
        if self._pid != os.getpid():
            try:
                self._repo = git.Repo(self.path)
            except (InvalidGitRepositoryError, NoSuchPathError) as error:
                is_there = self.path.exists()
                why = "is no git repository" if is_there else "does not exist"
                raise TaskError(
                    f"{self.path} {why}; name a folder with .git, or a bare repository"
                ) from error
            self._pid = os.getpid()
        return self._repo

    @cached_property
    def name(self) -> str:
        """OWNER/NAME of its remote ``origin``, else the name of its folder."""
        try:
            url = self.run("config", "--get", "remote.origin.url").decode(errors="replace").strip()
        except TaskError:  # there is none
            url = ""
        parts = url.removesuffix("/").removesuffix(".git").replace(":", "/").split("/")
        if "://" in url or "@" in url:
            return "/".join(parts[-2:])
        return self.path.name.removesuffix(".git") or self.path.parent.name

    @property
    def is_shallow(self) -> bool:
        """Whether older commits were left out when it was cloned."""
        return self.run("rev-parse", "--is-shallow-repository").strip() == b"true"

    def head(self) -> str:
        """Give the id of the commit that HEAD names.

        Raises:
            TaskError: there are no commits yet.
        """
        try:
            return self.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}").decode().strip()
        except TaskError as error:
            if "dubious" in str(error):
                raise
            raise TaskError(f"{self.path} has no commits; commit something first") from error

    def commit_date(self, commit: str) -> float:
        """Give the committer's date of a commit, in seconds since 1970."""
        self._require(commit)
        return float(self.run("show", "-s", "--format=%ct", commit, "--").split()[-1])

    def tree(self, commit: str) -> dict[str, Blob]:
        """List the regular files of a commit by path.

        Raises:
            TaskError: the repository lacks the commit.
        """
        self._require(commit)
        listing = self.run("ls-tree", "-r", "-l", "-z", "--full-tree", commit)
        files: dict[str, Blob] = {}
        for entry in listing.split(b"\0"):
            head, _, path = entry.partition(b"\t")
            mode, _, rest = head.partition(b" ")
            if mode in (b"100644", b"100755"):
                kind_id_size = rest.split()
                size = int(kind_id_size[2]) if kind_id_size[2] != b"-" else 0
                files[os.fsdecode(path)] = Blob(kind_id_size[1].decode(), size)
        return files

    def text(self, blob_id: str) -> str:
        """Read a blob as UTF-8; bytes that are none become U+FFFD.

        Raises:
            TaskError: the repository lacks it.
        """
        return self.read(blob_id).decode("utf-8", "replace")

    def read(self, blob_id: str) -> bytes:
        """Read a blob.

        Raises:
            TaskError: the repository lacks it.
        """
        try:
            with self._lock:  # one process answers all, one question at a time
                content: bytes = self.repo.odb.stream(bytes.fromhex(blob_id)).read()
        except (ODBError, ValueError, OSError, GitCommandError) as error:
            raise TaskError(
                f"{self.path} lacks the object {blob_id}; fetch it whole (git fetch --unshallow)"
            ) from error
        return content

    def diff(self, old: str, new: str, paths: list[str]) -> str:
        """Give the unified diff of these paths between two commits."""
        options = ["--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--binary"]
        output = self.run("diff-tree", "-p", *options, old, new, "--", *paths)
        return output.decode("utf-8", "replace")

    def run(self, *arguments: str) -> bytes:
        """Run a git command and give its output.

        Raises:
            TaskError: git failed; with the first line of what it said.
        """
        try:
            output: bytes = self.repo.git.execute(
                _command(*arguments), stdout_as_string=False, strip_newline_in_stdout=False
            )
        except GitCommandError as error:
            raise TaskError(_told(self.path, arguments[0], error)) from error
        return output

    def stream(self, *arguments: str) -> Iterator[bytes]:
        """Run a git command and give its output piece by piece; it ends when the caller stops."""
        process = self.repo.git.execute(_command(*arguments), as_process=True)
        try:
            while piece := process.stdout.read(_CHUNK):
                yield piece
            process.wait()
        except GitCommandError as error:
            raise TaskError(_told(self.path, arguments[0], error)) from error
        finally:
            process.stdout.close()
            process.stderr.close()
            process.proc.terminate()
            process.proc.wait()

    def close(self) -> None:
        """End the processes that read for it; it can be used again after."""
        if self._pid == os.getpid():
            self._pid = -1
            self._repo.close()

    def _require(self, commit: str) -> None:
        try:
            self.run("cat-file", "-e", f"{commit}^{{commit}}")
        except TaskError as error:
            if "dubious" in str(error):
                raise
            how = "git fetch --unshallow" if self.is_shallow else "git fetch origin"
            raise TaskError(f"{self.path} lacks the commit {commit}; {how} may bring it") from error


class GitTree:
    """The tree of a commit of a local repository; the content id of a file is its blob's id.

    The repository is opened when first asked, so that one that is gone is told then.
    """

    def __init__(self, path: Path, commit: str) -> None:
        self._path, self._commit = path.absolute(), commit

    @property
    def _repository(self) -> "Repository":
        return open_repository(self._path)

    @cached_property
    def _ids(self) -> dict[str, str]:
        files = self._repository.tree(self._commit).items()
        return {p: blob.id for p, blob in files if is_code(p) and blob.size <= MAX_BYTES}

    def files(self) -> Mapping[str, str]:
        """Blob id by path."""
        return self._ids

    def text(self, path: str) -> str:
        """The text of one of ``files()``."""
        if path not in self._ids:
            raise TaskError(f"the tree of {self._commit} has no {path}")
        return self._repository.text(self._ids[path])

    def recency(self) -> Mapping[str, float]:
        """Changes by path in the newest 2,000 commits, each counted as exp(-its age / 90 days)."""
        return self._recency

    @cached_property
    def _recency(self) -> dict[str, float]:
        now = self._repository.commit_date(self._commit)
        output = self._repository.run(
            "log", "--no-merges", "--no-renames", "-z", "--name-only", f"-n{RECENT_COMMITS}",
            "--format=%x02%ct", self._commit, "--", "*.py",
        )  # fmt: skip
        counts: dict[str, float] = {}
        for entry in output.split(b"\x02")[1:]:
            date, *paths = (part for part in entry.replace(b"\n", b"\0").split(b"\0") if part)
            weight = exp(-max(now - float(date), 0.0) / _DAY_S / RECENT_DAYS)
            for path in map(os.fsdecode, paths):
                counts[path] = counts.get(path, 0.0) + weight
        newest = sorted((p for p in counts if is_code(p)), key=lambda p: (-counts[p], p))
        return {path: round(counts[path], 3) for path in newest[:RECENT_FILES]}

    def origin(self) -> dict[str, str]:
        """Say where the tree is, for the store."""
        return {"kind": "git", "repository": str(self._path), "commit": self._commit}


@lru_cache(maxsize=8)
def open_repository(path: Path) -> Repository:
    """Open a repository, or give the one that is open already.

    Raises:
        TaskError: see ``Repository``.
    """
    return Repository(path)


def _command(*arguments: str) -> list[str]:
    settings = ("core.quotepath=off", "diff.noprefix=false", "diff.mnemonicprefix=false")
    return ["git", *(word for setting in settings for word in ("-c", setting)), *arguments]


def _told(path: Path, command: str, error: GitCommandError) -> str:
    said = str(error.stderr).strip().removeprefix("stderr:").strip(" \n'").splitlines()
    first = next((line for line in said if line.strip()), f"status {error.status}")
    return f"{path}: git {command}: {first.removeprefix('fatal: ')}"
