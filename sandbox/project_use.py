"""What a run uses, looked at from outside: its processes in ``/proc``, its files, its output."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

_TICKS, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
# The places of fields of /proc/PID/stat, counted from the parent's pid.
_TIMES, _THREADS, _RESIDENT = slice(10, 14), 16, 20


@dataclass(frozen=True)
class Use:
    """What a process and its descendants use: CPU seconds, resident bytes, threads."""

    cpu_s: float
    resident: int
    threads: int


def use_of(pid: int) -> Use:
    """Add up process ``pid`` and its descendants, with the CPU time of children that ended."""
    children: dict[int, list[int]] = {}
    numbers: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - names are enough
        try:
            text = Path("/proc", name, "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it has ended
        fields = [int(word) for word in text.rpartition(")")[2].split()[1:22]]
        children.setdefault(fields[0], []).append(int(name))
        numbers[int(name)] = fields
    ticks = pages = threads = 0
    left = [pid]
    while left:
        each = left.pop()
        left += children.get(each, [])
        if each in numbers:
            ticks += sum(numbers[each][_TIMES])
            threads += numbers[each][_THREADS]
            pages += numbers[each][_RESIDENT]
    return Use(ticks / _TICKS, pages * _PAGE, threads)


def exceeds(folder: str, limit: int) -> bool:
    """Tell whether a folder's files take more than ``limit`` bytes, of those that can be seen."""
    used, folders = 0, [folder]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as items:
            for item in items:
                with contextlib.suppress(OSError):
                    used += item.stat(follow_symlinks=False).st_blocks * 512
                    if item.is_dir(follow_symlinks=False):
                        folders.append(item.path)
                if used > limit:
                    return True
    return False


class Kept:
    """A stream's first and last bytes, half of ``limit`` each."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self.head, self.tail = b"", b""

    def add(self, data: bytes) -> None:
        """Take in more."""
        room = self._half - len(self.head)
        self.head += data[:room]
        tail = self.tail + data[room:]
        self.tail = tail[max(0, len(tail) - self._half) :]
