"""Processes by identity (pid and start time), whole process trees, and how they are ended."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil

# The kernel's clock and ours may disagree a little on when a process began, in seconds.
_START_TOLERANCE_S = 2.0
_PR_SET_CHILD_SUBREAPER = 36
_SWEEPS = 100


def start_time(pid: int) -> float | None:
    """When the process began, in Unix seconds; None where there is no such process."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def own_identity() -> tuple[int, float]:
    """Our own pid and start time."""
    return os.getpid(), float(psutil.Process().create_time())


def find(pid: int | None, pid_start: float | None) -> psutil.Process | None:
    """The living process of that pid and start time; a reused pid is somebody else."""
    if not pid or pid_start is None:
        return None
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - pid_start) <= _START_TOLERANCE_S
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def is_alive(pid: int | None, pid_start: float | None) -> bool:
    """True when that very process lives."""
    return find(pid, pid_start) is not None


def adopt_orphans() -> None:
    """Make this process the parent of its descendants' orphans, so that none is out of sight.

    Linux only; elsewhere orphans that left their process group are found by the store's records.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(process: psutil.Process) -> list[psutil.Process]:
    """All children, grandchildren and so on."""
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def kill_tree(process: psutil.Process) -> None:
    """SIGKILL a process, its descendants and, where it leads one, its process group.

    All are stopped first, so that none can fork while the others are being killed.
    """
    kill_all([process])


def kill_all(roots: Iterable[psutil.Process]) -> None:
    """:func:`kill_tree` for several processes at once; returns when they are gone."""
    doomed = freeze([root for root in roots if _not_me(root)])
    for process in doomed:
        _signal_group_of_leader(process, signal.SIGKILL)
        _send(process, signal.SIGKILL)
    _living_after(doomed, 5)


def freeze(roots: list[psutil.Process]) -> list[psutil.Process]:
    """SIGSTOP the trees under ``roots`` until no new process appears; all that were found."""
    frozen: dict[int, psutil.Process] = {}
    for _ in range(_SWEEPS):  # one that we may not signal could fork for ever
        found = [p for root in roots for p in (root, *descendants(root)) if p.pid not in frozen]
        if not found:
            break
        for process in found:
            _send(process, signal.SIGSTOP)
            frozen[process.pid] = process
    return list(frozen.values())


def end_gently(roots: list[psutil.Process], grace_s: float) -> None:
    """SIGTERM, up to ``grace_s`` seconds, then SIGKILL to what is left of the trees."""
    trees = {p.pid: p for root in roots for p in (root, *descendants(root)) if _not_me(p)}
    for root in roots:
        _send(root, signal.SIGTERM)
    if left := _living_after(list(trees.values()), grace_s):
        kill_all(left)


def end_own_children(keep: Iterable[int] = ()) -> int:
    """Kill whatever still descends from this process, except ``keep``; how many there were."""
    kept = set(keep)
    strays = [p for p in descendants(psutil.Process()) if p.pid not in kept]
    living = [p for p in strays if _is_living(p)]
    kill_all(living)
    reap_adopted(kept)
    return len(living)


def reap_adopted(keep: Iterable[int] = ()) -> None:
    """Reap adopted orphans that ended; the children in ``keep`` have an owner who does."""
    kept = set(keep)
    for process in psutil.Process().children():
        with suppress(psutil.NoSuchProcess, ChildProcessError):
            if process.pid not in kept and process.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(process.pid, os.WNOHANG)


def kill_own_group() -> None:
    """End this process with everything below it and its process group: it has lost its parent."""
    me = psutil.Process()
    others = freeze(descendants(me))
    for process in others:
        _send(process, signal.SIGKILL)
    if os.getpgid(0) == me.pid:
        os.killpg(me.pid, signal.SIGKILL)
    os.kill(me.pid, signal.SIGKILL)


def wait_gone(pid: int, pid_start: float, timeout_s: float) -> bool:
    """True as soon as the process is gone, False when it still lives after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while is_alive(pid, pid_start):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True


def _living_after(processes: list[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Wait until all are dead or the time is up; those that still live. A zombie is dead."""
    deadline = time.monotonic() + timeout_s
    while (left := [p for p in processes if _is_living(p)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def _not_me(process: psutil.Process) -> bool:
    return bool(process.pid != os.getpid())


def _is_living(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _send(process: psutil.Process, number: int) -> None:
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        process.send_signal(number)


def _signal_group_of_leader(process: psutil.Process, number: int) -> None:
    """Signal the group that ``process`` leads; groups led by others are left alone."""
    with suppress(ProcessLookupError, PermissionError):
        if os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, number)
