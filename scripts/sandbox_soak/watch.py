"""What the sandbox holds while the soak runs: memory, processes, descriptors, groups, disk."""

import contextlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_MIB = 1 << 20


@dataclass
class Figures:
    """What was seen of one thing while nothing ran: first, last; ``most`` at any time."""

    first: float | None = None
    last: float = 0.0
    most: float = 0.0

    def add(self, value: float, *, idle: bool) -> None:
        """Take in a value."""
        self.most = max(self.most, value)
        if idle:
            self.last = value
            self.first = value if self.first is None else self.first

    def told(self) -> dict[str, float]:
        """Return them for the document."""
        return {"start": self.first or 0.0, "end": self.last, "max": self.most}

    @property
    def grown(self) -> float:
        """How much more there was at the end."""
        return self.last - (self.first or 0.0)


@dataclass
class Watch:
    """Looks at this process and what descends from it."""

    figures: dict[str, Figures] = field(default_factory=dict)
    zygotes: dict[tuple[int, float], Figures] = field(default_factory=dict)
    looks: int = 0

    def look(self, *, idle: bool) -> None:
        """Take one sample; ``idle``: nothing runs, so that every descendant is a zygote's own."""
        self.looks += 1
        me = psutil.Process()
        resident, zombies = self._descendants(me, idle=idle)
        temp = Path(tempfile.gettempdir())
        disk = os.statvfs(temp)
        values = {
            "parent_rss_mib": me.memory_info().rss / _MIB,
            "zygote_rss_mib": max(resident, default=0.0),
            "descendants": len(resident) + zombies,
            "descriptors": len(list(Path("/proc/self/fd").iterdir())),
            "zombies": zombies,
            "memory_groups": len(memory_groups([os.getpid()])),
            "temp_entries": len(list(temp.iterdir())),
            "used_mib": (disk.f_blocks - disk.f_bfree) * disk.f_frsize / _MIB,
            "used_inodes": disk.f_files - disk.f_ffree,
            "free_mib": disk.f_bavail * disk.f_frsize / _MIB,
            "free_inodes": disk.f_favail,
        }
        for name, value in values.items():
            self.figures.setdefault(name, Figures()).add(round(value, 2), idle=idle)

    def _descendants(self, me: psutil.Process, *, idle: bool) -> tuple[list[float], int]:
        """Resident MiB of each living descendant, and how many are zombies."""
        resident, zombies = [], 0
        for process in me.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.status() == psutil.STATUS_ZOMBIE:
                    zombies += idle  # a program that has just ended is one for a moment
                    continue
                resident.append(process.memory_info().rss / _MIB)
                if idle:
                    key = (process.pid, process.create_time())
                    known = self.zygotes.setdefault(key, Figures())
                    known.add(round(resident[-1], 2), idle=True)
        return resident, zombies


def memory_groups(owners: list[int]) -> list[Path]:
    """Control groups that sandboxes of these processes made."""
    groups = Path("/sys/fs/cgroup").rglob("kent-sandbox-*")
    return [path for path in groups if path.name.split("-")[2] in map(str, owners)]
