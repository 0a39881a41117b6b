"""One instance per state directory: a flock'ed file that names its holder by pid and start time."""

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from kent.errors import AlreadyRunning, DaemonError
from kent.processes import is_alive, own_identity

Role = Literal["daemon", "round", "restore"]

_FILE_BYTES = 4096
_REASON_CHARS, _WAITING_CHARS = 400, 160  # of up to six bytes each in JSON


@dataclass(frozen=True)
class Holder:
    """Who holds, or last held, a state directory.

    ``ready_at`` is set once it works; ``ended_at`` and ``reason`` when it ended in order, so that
    a dead holder without them has crashed. Times are Unix seconds.
    """

    pid: int
    pid_start: float
    role: Role
    since: float
    ready_at: float | None = None
    ended_at: float | None = None
    reason: str = ""
    next_due_at: float | None = None
    waiting: str = ""  # for what, where it waits for a person; also that it is paused

    @property
    def alive(self) -> bool:
        """True while that very process lives and has not let go."""
        return self.ended_at is None and is_alive(self.pid, self.pid_start)

    @property
    def crashed(self) -> bool:
        """True when it died without letting go."""
        return self.ended_at is None and not self.alive


def lock_path(state_dir: Path) -> Path:
    """The lock file of a state directory."""
    return state_dir / "run" / "kent.lock"


def read_holder(state_dir: Path) -> Holder | None:
    """Who holds or last held the directory; None where nobody ever did."""
    path = lock_path(state_dir)
    for _ in range(3):  # a read may meet a write
        try:
            document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return Holder(**document)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, TypeError):
            time.sleep(0.02)
    return None


class Instance:
    """Holding a state directory; use as a context manager."""

    def __init__(self, state_dir: Path, role: Role) -> None:
        self._state_dir = state_dir
        self._role = role
        self._descriptor = -1
        self._holder: Holder | None = None
        self.previous: Holder | None = None

    def __enter__(self) -> "Instance":
        """Take the lock.

        Raises:
            AlreadyRunning: another process has it.
            DaemonError: the directory cannot be written.
        """
        path = lock_path(self._state_dir)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise DaemonError(f"cannot write in {self._state_dir}: {error.strerror}") from error
        self._lock()
        self.previous = read_holder(self._state_dir)
        pid, pid_start = own_identity()
        self._write(Holder(pid, pid_start, self._role, since=time.time()))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        """Let go, saying why; a failure is told to whoever asks for the status later."""
        reason = f"failed: {error}"[:_REASON_CHARS] if kind else "stopped"
        self._update(ended_at=time.time(), reason=reason, next_due_at=None, waiting="")
        os.close(self._descriptor)

    def ready(self) -> None:
        """Say that it works."""
        self._update(ready_at=time.time())

    def next_due(self, at: float | None) -> None:
        """Say when the next round begins, in Unix seconds; None while one runs."""
        self._update(next_due_at=at)

    def wait_for(self, what: str) -> None:
        """Say what keeps it from going on; empty: nothing does."""
        self._update(waiting=what[:_WAITING_CHARS])

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._descriptor)
            raise AlreadyRunning(held_by(self._state_dir)) from error

    def _update(self, **changes: Any) -> None:
        if self._holder:
            self._write(replace(self._holder, **changes))

    def _write(self, holder: Holder) -> None:
        # Always the same size and in place: that works on a full disk too.
        self._holder = holder
        os.pwrite(self._descriptor, json.dumps(asdict(holder)).encode().ljust(_FILE_BYTES), 0)


def held_by(state_dir: Path) -> str:
    """Who holds the directory, for a person."""
    holder = read_holder(state_dir)
    if holder is None:
        return f"{state_dir} is held by another process"
    what = {"daemon": "a daemon", "restore": "`kent state restore`"}.get(
        holder.role, "`kent round`"
    )
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(holder.since))
    return (
        f"{state_dir} is held by {what}, pid {holder.pid}, since {since}; "
        "`kent daemon status` watches it, `kent daemon stop` ends it"
    )
