"""What can be computed again: features, indexes, tables; bounded in size, the oldest goes first."""

import hashlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_GB = 2**30
FEATURES = Path("features")
# Below the state directory: folders, and whether what lies in them directly is used as a whole.
_WHOLE = (Path("cache") / "trees", Path("ctm") / "benchmark", FEATURES)
_SINGLE = (Path("cache"),)


@dataclass(frozen=True)
class Entry:
    """A file or folder that is used as one: its place below the state directory, bytes, last use.

    ``used_at`` is the newest change to it, in Unix seconds.
    """

    path: Path
    bytes: int
    used_at: float


def feature_folder(source_id: str) -> Path:
    """Where the features of a source are, below the state directory, as the critic names it."""
    return FEATURES / hashlib.sha256(source_id.encode()).hexdigest()[:16]


def too_much(state_dir: Path, limit_gb: float, keep: Iterable[Path], before: float) -> list[Entry]:
    """The entries to remove so that the caches fit their limit, those unused for longest first.

    Args:
        state_dir: the state directory.
        limit_gb: in GiB, for all caches together.
        keep: entries that a version in use needs; they count, and stay.
        before: entries that changed after this moment, in Unix seconds, stay as well.
    """
    entries = _entries(state_dir)
    over = sum(entry.bytes for entry in entries) - limit_gb * _GB
    kept, chosen = set(keep), []
    for entry in sorted(entries, key=lambda entry: (entry.used_at, str(entry.path))):
        if over <= 0:
            break
        if entry.path not in kept and entry.used_at < before:
            chosen.append(entry)
            over -= entry.bytes
    return chosen


def remove(path: Path) -> None:
    """Remove a file or a folder; what is gone already is no error.

    Raises:
        OSError: it cannot be removed.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _entries(state_dir: Path) -> list[Entry]:
    whole = [path for folder in _WHOLE for path in _listed(state_dir / folder)]
    inside = tuple(state_dir / folder for folder in _WHOLE)
    single = [
        Path(root) / name
        for folder in _SINGLE
        for root, _, names in os.walk(state_dir / folder)
        for name in names
        if not Path(root).is_relative_to(inside[0])
    ]
    found = (_measured(state_dir, path) for path in [*whole, *single])
    return [entry for entry in found if entry is not None]


def _listed(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _measured(state_dir: Path, path: Path) -> Entry | None:
    """Size and last change of an entry; None where it went meanwhile."""
    total, newest = 0, 0.0
    try:
        files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
        for one in files or [path]:
            facts = one.stat()
            total += facts.st_size if one.is_file() else 0
            newest = max(newest, facts.st_mtime)
    except FileNotFoundError:
        return None
    return Entry(path.relative_to(state_dir), total, newest)
