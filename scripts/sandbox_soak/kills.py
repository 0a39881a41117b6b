"""A process that runs a busy sandbox is killed, time and again: who outlives it, and for how long.

As a program it is the one that is killed: ``python -m scripts.sandbox_soak.kills LEVEL``.
"""

import contextlib
import os
import random
import select
import signal
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from sandbox import Limits, Program, Sandbox
from scripts.sandbox_soak.mix import PLUS_ONE
from scripts.sandbox_soak.watch import memory_groups

_ROOT = Path(__file__).parents[2]
_WORKERS = 2
_KILLED_WITHIN_S = 1.0
_KILL_WAIT_S = 10.0


def kill_often(times: int, level: str, seed: int) -> dict[str, Any]:
    """Kill a process that runs a sandbox, time and again; how long its descendants outlived it."""
    drawn = random.Random(seed)
    rounds = [_kill_once(level, drawn.uniform(0, 0.2)) for _ in range(times)]
    seconds = [each.seconds for each in rounds]
    sizes = [each.descendants for each in rounds]
    left = sum(each.left for each in rounds)
    Sandbox(level=level).close()  # the next one's start removes the groups that were left
    groups = len(memory_groups([each.pid for each in rounds]))
    enough = not sizes or min(sizes) >= 2 * _WORKERS  # a zygote and a program for each
    return {
        "times": times,
        "descendants": {"min": min(sizes, default=0), "max": max(sizes, default=0)},
        "gone_ms": {
            "median": round(1000 * statistics.median(seconds), 2) if seconds else None,
            "max": round(1000 * max(seconds, default=0.0), 2),
        },
        "left": left,
        "memory_groups_left": groups,
        "ok": enough and not left and not groups and max(seconds, default=0.0) < _KILLED_WITHIN_S,
    }


@dataclass(frozen=True)
class Killed:
    """Who was killed, how many it had, when all of them were gone, and how many were not."""

    pid: int
    descendants: int
    seconds: float
    left: int


def _kill_once(level: str, after_s: float) -> Killed:
    command = [sys.executable, "-m", "scripts.sandbox_soak.kills", level]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE) as victim:
        if victim.stdout is None or victim.stdout.readline() != b"up\n":
            raise SystemExit("the process that was to be killed did not come up")
        time.sleep(after_s)
        members = family(victim.pid)
        pidfds = [fd for pid in members if (fd := _pidfd(pid)) is not None]
        began = time.monotonic()
        victim.send_signal(signal.SIGKILL)
        ended = _all_ended(pidfds)
        seconds = time.monotonic() - began
        for fd in pidfds:
            os.close(fd)
    left = family(victim.pid)  # one that was not seen before would be found here
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return Killed(victim.pid, len(members), seconds, len(left) + (not ended))


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _all_ended(pidfds: list[int]) -> bool:
    """Wait until each of the processes has ended; False when some had not in time."""
    deadline = time.monotonic() + _KILL_WAIT_S
    waiting = set(pidfds)
    while waiting and time.monotonic() < deadline:
        ready, _, _ = select.select(list(waiting), [], [], deadline - time.monotonic())
        waiting -= set(ready)
    return not waiting


def family(owner: int) -> list[int]:
    """Living processes of the zygotes that ``owner`` started, whoever is their parent now.

    Each has the zygote's command line, which ends with the owner's pid.
    """
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        command = process.info["cmdline"] or []
        boot = any(part.endswith("boot.py") for part in command)
        if boot and command[-1] == str(owner) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


def be_victim(level: str) -> None:
    """Run busy programs till killed; say when they run."""
    with Sandbox(workers=_WORKERS, level=level) as box:
        box.run(Program("first", "def f(x):\n    return x + 1\n", PLUS_ONE))
        limits = Limits(cpu_s=300.0, wall_s=600.0)
        codes = ["def f(x):\n    while True: pass\n", "import time\ntime.sleep(600)\n"]
        threading.Timer(0.3, print, ("up",), {"flush": True}).start()
        programs = [Program(str(n), code, PLUS_ONE, limits) for n, code in enumerate(codes)]
        list(box.run_many(programs))


if __name__ == "__main__":
    be_victim(sys.argv[1])
