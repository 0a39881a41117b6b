"""Files that are either whole or not there: atomic writes that survive a power loss, and hashes."""

import errno
import glob
import hashlib
import os
import re
import secrets
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

from memory.errors import StoreError, StoreUnavailable

PASSING = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
}
"""What the operating system says of a place that may take the same write later."""

# As ``write_atomically`` names it; SQLite may add a suffix of its own for a journal beside it.
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<pid>\d+)-[0-9a-f]+\.tmp.*", re.DOTALL)

_OF_THE_PLACE = PASSING | {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENAMETOOLONG,
}


def write_atomically(
    path: Path,
    content: bytes | Callable[[Path], None],
    *,
    overwrite: bool = True,
    like: str | None = None,
) -> None:
    """Put ``content`` at ``path`` so that after any cut it is whole, old or absent, never half.

    A temporary file beside ``path`` is written, forced to the disk, renamed, and the directory is
    forced too: once this returns, a power loss does not take the file back.

    Args:
        path: Where the file is to be; its directory is made where it is missing.
        content: The bytes, or a function that writes the file at the path that it is given.
        overwrite: False refuses a ``path`` that exists, also when it appears meanwhile.
        like: A shell pattern of the names that such a file may have, where each has one of its own:
            what killed writers of any of them left half written is removed; None: of ``path``.

    Raises:
        StoreUnavailable: the disk is full or fails, or the place is not writable.
        StoreError: ``path`` exists, or its name is of no file.
        Whatever ``content`` raises; then ``path`` is as it was.
    """
    try:
        _make_directory(path.parent)
        if not overwrite and os.path.lexists(path):
            raise _exists(path)
        _remove_abandoned(path.parent, glob.escape(path.name) if like is None else like)
        temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
        try:
            _fill(temporary, content)
            _publish(temporary, path, overwrite)
        finally:
            temporary.unlink(missing_ok=True)
        _sync(path.parent)
    except OSError as error:
        if error.errno not in _OF_THE_PLACE:
            raise  # what ``content`` met elsewhere is not the fault of this place
        kind = StoreUnavailable if error.errno in PASSING else StoreError
        raise kind(
            f"{path} cannot be written: {error.strerror or error}; free space on that disk or "
            "check its permissions, then repeat"
        ) from error


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        OSError: the file is missing or cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from error


def _fill(temporary: Path, content: bytes | Callable[[Path], None]) -> None:
    if callable(content):
        content(temporary)
    else:
        temporary.write_bytes(content)
    _sync(temporary)


def _publish(temporary: Path, path: Path, overwrite: bool) -> None:
    if overwrite:
        temporary.replace(path)
        return
    try:
        # Unlike a rename, a hard link never replaces what somebody else made meanwhile.
        path.hardlink_to(temporary)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError:
        # A file system without hard links: the check of before is all that there is.
        temporary.replace(path)


def _exists(path: Path) -> StoreError:
    return StoreError(f"{path} exists and is not overwritten; name another file")


def _sync(path: Path) -> None:
    """Force a file's data, or a directory's names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_abandoned(folder: Path, pattern: str) -> None:
    """Remove the temporary files, of files that are named so, whose writers were killed."""
    for entry in folder.iterdir():
        left = _TEMPORARY.fullmatch(entry.name)
        if left and fnmatchcase(left["name"], pattern) and not _alive(int(left["pid"])):
            entry.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
