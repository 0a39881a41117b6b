"""Which level works here: found by trying it, walls and all, and by what a program can reach.

A zygote of the level is started as ever, and a probing program run in it. It tries to read a file
of ours, to connect to a listener of ours, to signal us and to start a process. The level
works when the zygote came up and nothing of that went through. Names and versions of kernels and
distributions are not asked.
"""

import os
import selectors
import shutil
import socket
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import cgroups
from sandbox.errors import LevelError
from sandbox.jobs import Prepared, job
from sandbox.judge import NotJudgedError, judge
from sandbox.native import extension
from sandbox.process import ZygoteGone, ZygoteProcess
from sandbox.types import Call, Limits, Program, Tests, Word

CHOSEN = ("A", "A'", "B")
"""The levels that ``auto`` tries, the highest first."""

TYPED = ("C", "D")
"""The levels that only a user may ask for: they do not keep a program from the machine's files."""

START_S = 30.0

_PROBE = """
import os, socket

def reaches_file(path):
    open(path).read()

def reaches_socket(port):
    socket.create_connection(("127.0.0.1", port), 1).close()

def reaches_process(pid):
    os.kill(pid, 0)

def reaches_fork():
    os.fork()

def outcome(name, *arguments):
    try:
        globals()["reaches_" + name](*arguments)
    except BaseException:
        return "refused"
    return "reached"
"""

_proved: set[str] = set()
_lock = threading.Lock()


@dataclass(frozen=True)
class Obstacle:
    """Why a level does not work here, and the command that may change it ("": none known)."""

    level: str
    why: str
    command: str


def choose(level: str) -> str:
    """Return the level to use: the one that was named, or the highest that proves to work.

    Raises:
        LevelError: no such level, or it does not work here.
    """
    if level == "auto":
        found, obstacles = highest()
        if found:
            return found
        told = "; ".join(f"{obstacle.level}: {obstacle.why}" for obstacle in obstacles)
        raise LevelError(f"no safe level works here ({told}); level C must be asked for by name")
    if level not in CHOSEN + TYPED:
        raise LevelError(f"no level {level!r}; there are {', '.join(('auto', *CHOSEN, *TYPED))}")
    prove(level)
    return level


def highest() -> tuple[str, list[Obstacle]]:
    """Return the highest safe level that works ("": none), and what keeps the higher ones."""
    obstacles = []
    for level in CHOSEN:
        try:
            prove(level)
        except LevelError as error:
            obstacles.append(Obstacle(level, str(error), _remedy(level)))
        else:
            return level, obstacles
    return "", obstacles


def prove(level: str) -> None:
    """Prove that ``level`` works, once in this process's life.

    Raises:
        LevelError: it does not; the text says what refused, or what a program could reach.
    """
    with _lock:
        if level in _proved:
            return
        zygote = ZygoteProcess(level)
        try:
            refused = _await(zygote, zygote.greeting)
            if refused:
                raise LevelError(refused)
            if level in CHOSEN:
                _probe(zygote)
        except (ZygoteGone, NotJudgedError) as error:
            raise LevelError(f"its zygote ended: {error}") from error
        finally:
            zygote.close()
        _proved.add(level)


def _await(zygote: ZygoteProcess, take: Any) -> Any:
    """Read from the zygote until ``take`` gives something."""
    deadline = time.monotonic() + START_S
    with selectors.DefaultSelector() as selector:
        selector.register(zygote, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            selector.select(deadline - time.monotonic())
            zygote.read()
            taken = take()
            if taken is not None:
                return taken
    raise LevelError(f"its zygote did not answer in {START_S:g} s")


def _probe(zygote: ZygoteProcess) -> None:
    """Let a program try to get out."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        tempfile.TemporaryDirectory() as folder,
    ):
        canary = Path(folder, "canary")
        canary.write_text("sings", encoding="utf-8")
        Path(folder).chmod(0o755)
        attempts = (
            ("file", str(canary)),
            ("socket", listener.getsockname()[1]),
            ("process", os.getpid()),
            ("process", zygote.process.pid),
            ("fork",),
        )
        calls = tuple(Call(attempt, "refused") for attempt in attempts)
        tests = Tests("data", "outcome", calls=calls)
        program, prepared, limits = Program("probe", _PROBE, tests), Prepared(tests), Limits()
        zygote.send(job(program, prepared, limits))
        report, parts = _await(zygote, zygote.report)
    word, failure = judge(report, parts, prepared, limits)
    if word is Word.FAILED and failure is not None and failure.call is not None:
        raise LevelError(f"a program could reach a {attempts[failure.call][0]} outside")
    if word is not Word.PASSED:
        raise LevelError(f"the probing program ended as {word}: {failure}")


def _remedy(level: str) -> str:
    """Return the one command that may make ``level`` work, by what is seen to be in its way."""
    if level == "B":
        return "boot a kernel of 6.12 or later with lsm=landlock among its parameters"
    if level == "A'":
        return "" if shutil.which("bwrap") else "apt-get install bubblewrap"
    switches = (
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "0"),
        ("kernel/unprivileged_userns_clone", "0", "1"),
        ("user/max_user_namespaces", "0", "15000"),
    )
    for name, bad, good in switches:
        switch = Path("/proc/sys", name)
        if switch.exists() and switch.read_text(encoding="ascii").strip() == bad:
            return f"sudo sysctl -w {name.replace('/', '.')}={good}"
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return "start the container with --security-opt seccomp=unconfined --cap-add SYS_ADMIN"
    return ""


def describe() -> dict[str, Any]:
    """Return what ``kent doctor`` shows: the level, what keeps higher ones, how to raise it."""
    from sandbox.sandbox import SANDBOX_VERSION
    from sandbox.worker import landlock

    level, obstacles = highest()
    return {
        "level": level or None,
        "version": SANDBOX_VERSION,
        "obstacles": [vars(obstacle) for obstacle in obstacles],
        "raise_by": next((o.command for o in obstacles if o.command), ""),
        "landlock": landlock.version(),
        "native": extension() is not None,
        "memory_groups": cgroups.obstacle() or "yes",
        "as_root": os.geteuid() == 0,
    }
