"""One run of a project's tests as it is seen from outside: started, fed, watched, ended.

The process that is started puts up the walls and supervises from inside; see
:mod:`sandbox.worker.project_boot`. From here its pipes are read, and the time and memory of all its
descendants are added up from ``/proc``, where none can hide: whoever leaves its parent becomes the
supervisor's child.
"""

import json
import os
import selectors
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from sandbox.project_use import Kept, exceeds, use_of
from sandbox.worker.walls import DEVICES

START_S, END_S = 120.0, 20.0
"""How long walls and unpacking may take, and how long ending may; above it is our fault."""
LOOK_S, FILES_LOOK_S = 0.2, 2.0
"""The time between two looks at what the processes use, and at the size of their files."""
REPORT_MAX = 16 << 20

_PACKAGE = Path(__file__).parent
_PYTHON = ("-S", "-s", "-P", "-B", "-X", "utf8", "-c")
# The package's public module, which is not needed inside, is not loaded.
_START = """
import sys
from types import ModuleType
sys.modules["sandbox"] = ModuleType("sandbox")
sys.modules["sandbox"].__path__ = [sys.argv[1]]
from sandbox.worker.project_boot import main
main(int(sys.argv[2]), int(sys.argv[3]))
"""


@dataclass
class Ended:
    """How a run ended: ``stopped`` by which limit; ``fault``, what of ours failed."""

    output: Kept
    report: bytearray = field(default_factory=bytearray)
    status: int | None = None
    stopped: str = ""
    fault: str = ""
    cpu_s: float = 0.0
    wall_s: float = 0.0


class Run:
    """One started run. ``watch`` returns when every process of it has ended."""

    def __init__(self, job: dict[str, Any], output_bytes: int) -> None:
        """``job`` is what :mod:`sandbox.worker.project_boot` reads, and ``wall_s``."""
        self._job = job
        self._ended = Ended(Kept(output_bytes))
        self._output, output = os.pipe()
        self._report, report = os.pipe()
        self._control, control = socket.socketpair()
        passed = (control.fileno(), report)
        command = [str(Path(sys.executable).resolve()), *_PYTHON, _START, str(_PACKAGE)]
        if job["level"] == "A'":
            command = [*_bubblewrap([*job["readable"], *_own()]), *command]
        try:
            self._process = subprocess.Popen(
                [*command, *map(str, passed)],
                pass_fds=passed,
                env={},
                cwd="/",
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        finally:
            os.close(output)
            os.close(report)
            control.close()
        self._messages = b""
        self._started = self._before = 0.0
        self._over = False

    def feed(self, write: Callable[[IO[bytes]], None]) -> None:
        """Send the job and what ``write`` writes: the archive."""
        assert self._process.stdin is not None
        try:
            with self._process.stdin as stream:
                stream.write(json.dumps(self._job).encode() + b"\n")
                write(stream)
        except BrokenPipeError:
            return  # it refused, and will have told why

    def watch(self, cancelled: Callable[[], bool]) -> Ended:
        """Read and count until the end, and stop it at a limit or when ``cancelled`` says so."""
        patience = time.monotonic() + START_S
        next_look = next_files = 0.0
        with selectors.DefaultSelector() as selector:
            for fd in (self._output, self._report, self._control.fileno()):
                os.set_blocking(fd, False)
                selector.register(fd, selectors.EVENT_READ)
            while not self._over:
                for key, _ in selector.select(LOOK_S):
                    if not self._take(key.fd):
                        selector.unregister(key.fd)
                now = time.monotonic()
                if not self._ended.stopped and now >= next_look:
                    files = now >= next_files
                    self._ended.stopped = self._reason(now, cancelled, files=files)
                    next_look = now + LOOK_S
                    next_files = now + FILES_LOOK_S if files else next_files
                    if self._ended.stopped:
                        patience = now + END_S
                        self._tell_to_stop()
                if now > patience and (self._ended.stopped or not self._started):
                    self._fail("it did not answer in time")
        return self._ended

    def close(self) -> None:
        """End whatever runs still, wait for it, and give everything back."""
        self._control.close()
        try:
            self._process.wait(timeout=END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # Whoever could write to the pipes has ended.
        while self._take(self._output, at_once=True):
            pass
        while self._take(self._report, at_once=True):
            pass
        os.close(self._output)
        os.close(self._report)

    def _take(self, fd: int, *, at_once: bool = False) -> bool:
        """Read from one of the lines; False at its end."""
        try:
            data = os.read(fd, 1 << 16)
        except BlockingIOError:
            return not at_once
        except ConnectionError:
            data = b""
        if fd == self._output:
            self._ended.output.add(data)
        elif fd == self._report:
            room = REPORT_MAX + 1 - len(self._ended.report)
            self._ended.report += data[:room]
        else:
            self._hear(data)
        return bool(data)

    def _hear(self, data: bytes) -> None:
        """Take in what the supervisor says."""
        if not data:
            self._fail("the supervisor ended")
        *whole, self._messages = (self._messages + data).split(b"\n")
        for message in map(json.loads, whole):
            if "refused" in message:
                self._fail(message["refused"])
            elif "started" in message:
                self._started = time.monotonic()
                self._before = use_of(self._process.pid).cpu_s
            else:
                self._ended.status = message["status"]
                self._ended.cpu_s = message["cpu_s"]
                self._ended.wall_s = time.monotonic() - self._started
                self._over = True

    def _fail(self, why: str) -> None:
        if not self._over:
            self._ended.fault = why
            self._over = True

    def _reason(self, now: float, cancelled: Callable[[], bool], *, files: bool) -> str:
        """Return which limit the run is over; "" for none."""
        if cancelled():
            return "cancelled"
        if not self._started:
            return ""
        job, use = self._job, use_of(self._process.pid)
        if now - self._started > job["wall_s"]:
            return "wall time"
        if use.cpu_s - self._before > job["cpu_s"]:
            return "CPU time"
        if use.resident > job["memory_mb"] << 20:
            return "memory"
        if job["level"] == "B" and use.threads - 1 > job["processes"]:
            return "processes"
        if len(self._ended.report) > REPORT_MAX:
            return "report"
        if files and job["level"] == "B" and exceeds(job["root"], job["tree_mb"] << 20):
            return "files"
        return ""

    def _tell_to_stop(self) -> None:
        try:
            self._control.send(b".")
        except OSError:
            return  # it has ended, which will be read


def _own() -> list[str]:
    """Return what the process that is started needs itself, where bubblewrap starts it."""
    return [f"{sys.base_prefix}/lib", str(Path(sys.executable).resolve()), str(_PACKAGE)]


def _bubblewrap(paths: list[str]) -> list[str]:
    """Return the command that walls in a run where only bubblewrap may make namespaces.

    The capability is over the namespaces that it makes.
    """
    tool = shutil.which("bwrap") or "bwrap"
    command = [tool, "--unshare-all", "--die-with-parent", "--cap-add", "CAP_SYS_ADMIN"]
    command += ["--hostname", "sandbox", "--tmpfs", "/tmp", "--tmpfs", "/dev/shm"]
    for path in dict.fromkeys(paths):
        link = Path(path)
        if link.is_symlink():
            command += ["--symlink", str(link.readlink()), path]
        elif link.exists():
            command += ["--ro-bind", path, path]
    for path in DEVICES:
        command += ["--dev-bind", path, path]
    return command
