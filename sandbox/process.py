"""One zygote as the pool sees it: started, given jobs, read, ended. Never forked from here."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

from sandbox import cgroups
from sandbox.errors import LevelError
from sandbox.native import extension
from sandbox.worker import wire
from sandbox.worker.walls import DEVICES, SYSTEM, numpy_paths

_PACKAGE = Path(__file__).parent
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1"}
_CHUNK = 1 << 18


class ZygoteGone(Exception):
    """The zygote ended or is out of step."""


class ZygoteProcess:
    """A zygote's process and the line to it. All calls return at once but ``close``.

    It is started by the C library's spawn, which copies nothing of this process, with an
    environment of its own, and it ends when this process does.
    """

    def __init__(self, level: str, *, numpy: str = "", memory_mb: int = 0) -> None:
        """``numpy``: the folder that numpy is imported from, "" for a zygote without it.

        ``memory_mb``: what the zygote with all that it runs may hold, where a control group can be
        had; 0: no bound.
        """
        boot = _PACKAGE / "worker" / "boot.py"
        command = [_interpreter(), "-S", "-s", "-P", "-B", "-X", "utf8", str(boot), str(_PACKAGE)]
        if level == "A'":
            command = [*_bubblewrap(numpy), *command]
        native = extension()
        ours, theirs = socket.socketpair()
        parent = os.pidfd_open(os.getpid())
        self.group = cgroups.make(memory_mb) if memory_mb else None
        group = self.group.procs if self.group is not None else -1
        fds = (theirs.fileno(), parent, group)
        try:
            self.process = subprocess.Popen(
                [*command, level, str(native or ""), numpy, *map(str, fds), str(os.getpid())],
                pass_fds=[fd for fd in fds if fd >= 0],
                env=_ENVIRONMENT,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            theirs.close()
            os.close(parent)
        ours.setblocking(False)
        self.socket = ours
        self._out = memoryview(b"")
        self._in = bytearray()

    def fileno(self) -> int:
        """Return the line's descriptor."""
        return self.socket.fileno()

    def send(self, pieces: list[bytes]) -> bool:
        """Begin to write a job, after what is still to be written; True when all is."""
        self._out = memoryview(b"".join([self._out, *pieces]))
        return self.flush()

    def flush(self) -> bool:
        """Write what can be written; True when nothing is left."""
        try:
            while self._out:
                self._out = self._out[self.socket.send(self._out) :]
        except BlockingIOError:
            return False
        except OSError as error:
            raise ZygoteGone(str(error)) from error
        return True

    def read(self) -> None:
        """Take in what has arrived."""
        try:
            while True:
                chunk = self.socket.recv(_CHUNK)
                if not chunk:
                    raise ZygoteGone("the zygote ended")
                self._in += chunk
                if len(chunk) < _CHUNK:
                    return
        except BlockingIOError:
            return
        except ConnectionError as error:
            raise ZygoteGone(str(error)) from error

    def greeting(self) -> str | None:
        """Tell what kept the zygote from its level ("": nothing); None while it is starting."""
        if len(self._in) < wire.FRAME.size:
            return None
        tag, size = wire.FRAME.unpack_from(self._in)
        if tag != wire.READY:
            raise ZygoteGone("out of step")
        body = self._take(wire.FRAME.size + size)
        return None if body is None else body[wire.FRAME.size :].decode()

    def report(self) -> tuple[wire.Report, list[bytes]] | None:
        """Return the next report and its four parts, or None while it is not whole."""
        if len(self._in) < wire.REPORT.size:
            return None
        report = wire.Report(*wire.REPORT.unpack_from(self._in))
        if report.magic != wire.MAGIC:
            raise ZygoteGone("out of step")
        sizes = report[-4:]
        raw = self._take(wire.REPORT.size + sum(sizes))
        if raw is None:
            return None
        parts, at = [], wire.REPORT.size
        for size in sizes:
            parts.append(raw[at : at + size])
            at += size
        return report, parts

    def _take(self, size: int) -> bytes | None:
        if len(self._in) < size:
            return None
        taken = bytes(memoryview(self._in)[:size])
        del self._in[:size]
        return taken

    def close(self) -> None:
        """End it and whatever it runs, and wait for it. It dies of the hang-up at the latest."""
        self.socket.close()
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        if self.group is not None:
            self.group.close()


def _bubblewrap(numpy: str) -> list[str]:
    """Return the command that walls in a zygote where only bubblewrap may make namespaces.

    The capability is over the namespaces that it makes, so that a zygote can make one more for
    each program.
    """
    tool = shutil.which("bwrap")
    if tool is None:
        raise LevelError("bubblewrap is not installed")
    if os.geteuid() == 0:
        raise LevelError("level A' is for users other than root, whose processes can be counted")
    command = [tool, "--unshare-all", "--cap-add", "CAP_SYS_ADMIN", "--hostname", "sandbox"]
    command += ["--size", str(64 << 20), "--perms", "1777", "--tmpfs", "/tmp", "--chdir", "/tmp"]
    paths = [path for path in SYSTEM if Path(path).exists()]
    paths += [sys.base_prefix + "/lib", _interpreter(), str(_PACKAGE)]
    native = extension()
    paths += [str(native)] if native else []
    for path in paths:
        link = Path(path)
        if link.is_symlink():
            command += ["--symlink", str(link.readlink()), path]
        else:
            command += ["--ro-bind", path, path]
    for path, place in numpy_paths(numpy).items():
        command += ["--ro-bind-try", path, place]
    for path in DEVICES:
        command += ["--dev-bind", path, path]
    return command


def _interpreter() -> str:
    """Return the interpreter itself, not a virtual environment's link to it."""
    return str(Path(sys.executable).resolve())
