"""One memory group for each zygote, where the kernel lets us make one: the bound on all it runs.

The limit of address space holds for one process; what two processes of split mode and the files in
/tmp hold together only a control group can bound. It needs a group of ours that may have children:
as root with cgroup v1, or under cgroup v2 a delegated one (systemd's ``Delegate=yes``) whose own
processes are in a group below it (``DelegateSubgroup=``).
"""

import contextlib
import itertools
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
_REMOVE_S = 2.0
_START = 19  # the place of a process's start in /proc/PID/stat, counted from its state
_NAME = re.compile(r"kent-sandbox-(?P<pid>\d+)-(?P<start>\d+)-\d+")
_count = itertools.count(1)


@dataclass(frozen=True)
class _Files:
    """The names that a version of the interface gives to what is the same."""

    limit: str
    swap: str
    events: str


_V1 = _Files("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.oom_control")
_V2 = _Files("memory.max", "memory.swap.max", "memory.events")


class Group:
    """A group with a limit of memory; a process joins by writing 0 to ``procs``, a descriptor."""

    def __init__(self, path: Path, files: _Files, limit_mb: int) -> None:
        self._path, self._files = path, files
        self._kills = 0
        self.limit(limit_mb)
        self.procs = os.open(path / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)

    def limit(self, memory_mb: int) -> None:
        """Bound what all processes of the group hold together; raised only, never lowered."""
        self.limit_mb = memory_mb
        limit, swap = self._path / self._files.limit, self._path / self._files.swap
        size = str(memory_mb << 20)
        if self._files is _V1 and swap.exists():
            # Memory and swap together: never below memory alone, so that goes first, unlimited.
            swap.write_text("-1")
            limit.write_text(size)
            swap.write_text(size)
            return
        limit.write_text(size)
        if swap.exists():
            swap.write_text("0")  # a bomb is not to fill the swap either

    def killed(self) -> bool:
        """Whether the kernel has killed one of the group for its memory since the last look."""
        text = (self._path / self._files.events).read_text()
        counts = dict(line.split() for line in text.splitlines())
        before, self._kills = self._kills, int(counts.get("oom_kill", 0))
        return self._kills > before

    def close(self) -> None:
        """Remove the group, once its last process is gone."""
        os.close(self.procs)
        deadline = time.monotonic() + _REMOVE_S
        while True:
            try:
                return self._path.rmdir()
            except FileNotFoundError:
                return None
            except OSError:
                if time.monotonic() > deadline:
                    return None  # a process that cannot die keeps it; the next start sweeps
                time.sleep(0.01)


def make(memory_mb: int) -> Group | None:
    """Make a group for a zygote, or None where none can be had: see :func:`obstacle`."""
    found = _parent()
    if isinstance(found, str):
        return None
    parent, files = found
    path = parent / f"kent-sandbox-{os.getpid()}-{_start_of(os.getpid())}-{next(_count)}"
    try:
        path.mkdir()
        return Group(path, files, memory_mb)
    except OSError:
        with contextlib.suppress(OSError):
            path.rmdir()
        return None


def obstacle() -> str:
    """Return what keeps us from having groups; "" where nothing does."""
    found = _parent()
    return found if isinstance(found, str) else ""


def sweep() -> None:
    """Remove the empty groups whose makers are gone.

    One that is empty may also be of a sandbox elsewhere, which made it for a zygote that is about
    to join: taken away then, the zygote would die of it.
    """
    found = _parent()
    if isinstance(found, str):
        return
    for path in found[0].glob("kent-sandbox-*"):
        name = _NAME.fullmatch(path.name)
        if name and _start_of(int(name["pid"])) != int(name["start"]):
            with contextlib.suppress(OSError):  # what it ran has not ended yet
                path.rmdir()


def _start_of(pid: int) -> int | None:
    """When a process began, in ticks since the machine did; None where none lives.

    With the pid it names one process, since pids are given out again.
    """
    try:
        text = Path("/proc", str(pid), "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *fields = text.rpartition(")")[2].split()
    return None if state in "ZX" else int(fields[_START - 1])


def _parent() -> tuple[Path, _Files] | str:
    """Return the folder in which groups can be made, or why there is none."""
    own = _own()
    if "memory" in own:
        path = ROOT / "memory" / own["memory"].lstrip("/")
        if os.access(path, os.W_OK) and (path / _V1.limit).exists():
            return path, _V1
        return "memory groups (cgroup v1) are for root"
    if "" not in own:
        return "no control groups here"
    path = ROOT / own[""].lstrip("/")
    if path == ROOT or not os.access(path.parent, os.W_OK):
        return "the control group is not delegated"
    try:
        if "memory" not in (path.parent / "cgroup.subtree_control").read_text().split():
            (path.parent / "cgroup.subtree_control").write_text("+memory")
    except OSError as error:
        return f"the memory controller cannot be had: {error.strerror}"
    return path.parent, _V2


def _own() -> dict[str, str]:
    """Return our groups by controller; "" is that of version 2."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    rows = [line.split(":", 2) for line in lines]
    return {name: path for _, names, path in rows for name in names.split(",")}
