"""Loaded by Python itself at its start: notes what was forced to the disk, and bends the clock.

``CHAOS_SYNCED`` names a file that gets a line for each file or folder that was fsynced: its inode,
or for a folder the names in it. ``CHAOS_CLOCK`` names a file with the seconds by which the wall
clock is off.
"""

import json
import os
import stat
import time
from pathlib import Path
from typing import Any

_fsync, _time = os.fsync, time.time


def _noted_fsync(fd: Any) -> None:
    """Force a file or folder to the disk, and note that it was."""
    _fsync(fd)
    descriptor = fd if isinstance(fd, int) else fd.fileno()
    facts = os.fstat(descriptor)
    line: dict[str, object] = {"inode": facts.st_ino, "size": facts.st_size}
    if stat.S_ISDIR(facts.st_mode):
        folder = Path(f"/proc/self/fd/{descriptor}").resolve()
        names = {entry.name: entry.inode() for entry in os.scandir(folder)}
        line = {"folder": str(folder), "names": names}
    with Path(os.environ["CHAOS_SYNCED"]).open("a") as file:
        file.write(json.dumps(line) + "\n")


def _bent_time() -> float:
    """The wall clock, off by as much as the file says."""
    try:
        return _time() + float(Path(os.environ["CHAOS_CLOCK"]).read_text() or 0)
    except (OSError, ValueError):
        return _time()


if "CHAOS_SYNCED" in os.environ:
    os.fsync = _noted_fsync
if "CHAOS_CLOCK" in os.environ:
    time.time = _bent_time
