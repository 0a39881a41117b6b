"""Disk space: what the state directory uses and what is left for it."""

import os
import shutil
from pathlib import Path

from kent.errors import DaemonError

_GB = 2**30


def used_bytes(folder: Path) -> int:
    """The summed size of all files beneath a folder; 0 where there is none."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(root) / name).lstat().st_size
            except FileNotFoundError:  # the daemon rotates and prunes while we look
                continue
    return total


def free_bytes(folder: Path) -> int:
    """What is free on the file system that holds a folder, or will hold it."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free


def require_space(folder: Path, wanted_gb: float) -> None:
    """Raise DaemonError where less than ``wanted_gb`` GiB are free for a folder."""
    free = free_bytes(folder) / _GB
    if free < wanted_gb:
        raise DaemonError(
            f"only {free:.1f} GB free for {folder}, a stage wants {wanted_gb:g}: "
            "free some space, or lower daemon.min_free_gb"
        )


def in_words(count: float) -> str:
    """Bytes for a person: ``1.4 GB``."""
    for unit in ("B", "kB", "MB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GB"
