"""A repository's commits one after another, newest first, with what each changed: one ``git log``.

One process tells messages, paths and blob ids of the whole history; asking git commit by commit
would take minutes where this takes seconds.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from trainers.tasks.swe.repository import Repository

_FORMAT = "%x02%H%x1f%P%x1f%ct%x1f%B%x03"
_BEGIN = re.compile(rb"\x02(?=[0-9a-f]{40,64}\x1f)")
_FILE_MODES = ("100644", "100755")


@dataclass(frozen=True)
class Change:
    """A path that a commit changed; ``status`` is git's letter: A, D, M, T.

    ``old`` and ``new`` are blob ids; ``is_file``: on the sides that are there it is a regular file.
    """

    path: str
    status: str
    old: str
    new: str
    is_file: bool


@dataclass(frozen=True)
class Commit:
    """A commit without its tree; ``date`` is the committer's, in seconds since 1970."""

    id: str
    parents: tuple[str, ...]
    date: float
    message: str
    changes: tuple[Change, ...]


def commits(repository: Repository, *, since: str | None = None) -> Iterator[Commit]:
    """Give the commits behind HEAD that are no merges, newest first.

    Args:
        repository: where they are.
        since: only later ones; any date that git understands.

    Raises:
        TaskError: there are none at all, or git failed.
    """
    options = ["--no-merges", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff"]
    options += [f"--since={since}"] if since else []
    pieces = repository.stream("log", *options, f"--format={_FORMAT}", repository.head())
    waiting = b""
    try:
        for piece in pieces:
            *whole, waiting = _BEGIN.split(waiting + piece)
            yield from (_commit(one) for one in whole if one.strip(b"\0\n"))
        if waiting.strip(b"\0\n"):
            yield _commit(waiting)
    finally:
        pieces.close()  # type: ignore[attr-defined]


def _commit(raw: bytes) -> Commit:
    head, _, listing = raw.partition(b"\x03")
    commit, parents, date, message = head.decode("utf-8", "replace").split("\x1f", 3)
    fields = [field for field in listing.strip(b"\n").split(b"\0") if field.strip(b"\n")]
    changes = [_change(meta, path) for meta, path in zip(fields[::2], fields[1::2], strict=True)]
    return Commit(commit, tuple(parents.split()), float(date), message, tuple(changes))


def _change(meta: bytes, path: bytes) -> Change:
    old_mode, new_mode, old, new, status = meta.decode("ascii").lstrip("\n:").split()
    there = [mode for mode in (old_mode, new_mode) if mode != "000000"]
    is_file = all(mode in _FILE_MODES for mode in there)
    return Change(os.fsdecode(path), status[:1], old, new, is_file)
