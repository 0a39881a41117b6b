"""The daemon from outside: start it in the background, stop it, start it again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from kent.errors import AlreadyRunning, DaemonError
from kent.instance import Holder, held_by, read_holder
from kent.logs import last_lines, log_dir
from kent.processes import find, kill_tree, wait_gone

_START_TIMEOUT_S = 90.0
_NOW_TIMEOUT_S = 30.0


def start(state_dir: Path, arguments: Sequence[str]) -> Holder:
    """Start the daemon in a session of its own and wait until it says that it works.

    Args:
        state_dir: Its state directory.
        arguments: Of ``kent``, those that make it run in the foreground.

    Raises:
        AlreadyRunning: another process holds the directory.
        DaemonError: it did not come up; the message has its last words.
    """
    holder = read_holder(state_dir)
    if holder and holder.alive:
        raise AlreadyRunning(held_by(state_dir))
    output = _output_file(state_dir)
    with output.open("wb") as file:
        child = subprocess.Popen(
            [sys.executable, "-m", "kent", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        code = child.poll()
        holder = read_holder(state_dir)
        if holder and holder.pid == child.pid and holder.ready_at:
            return holder
        if code is not None:
            raise DaemonError(_last_words(output, code))
        time.sleep(0.05)
    raise DaemonError(f"no sign of life after {_START_TIMEOUT_S:g} s; see {output}")


def stop(state_dir: Path, *, now: bool, wait_s: float) -> Holder | None:
    """Ask the holder to stop and wait until it is gone; who it was, None where nobody held it.

    Args:
        state_dir: Its state directory.
        now: Do not finish the unit of work in hand.
        wait_s: How long a stop after the unit of work may take before it is ended by force.

    Raises:
        DaemonError: it may not be signalled.
    """
    holder = read_holder(state_dir)
    if holder is None or not holder.alive:
        return None
    _signal(holder, signal.SIGTERM)
    if now:
        time.sleep(0.05)  # two signals in one instant would be delivered as one
        _signal(holder, signal.SIGTERM)
    if wait_gone(holder.pid, holder.pid_start, _NOW_TIMEOUT_S if now else wait_s):
        return holder
    if process := find(holder.pid, holder.pid_start):
        kill_tree(process)
    return holder


def _signal(holder: Holder, number: int) -> None:
    try:
        if process := find(holder.pid, holder.pid_start):
            os.kill(process.pid, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise DaemonError(f"pid {holder.pid} is another user's: stop it as that user") from error


def _output_file(state_dir: Path) -> Path:
    """What the background daemon prints, from its last start; its log is ``daemon.log``."""
    try:
        log_dir(state_dir).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DaemonError(f"cannot write in {state_dir}: {error.strerror}") from error
    return log_dir(state_dir) / "daemon.out"


def _last_words(output: Path, code: int) -> str:
    errors = [line for line in last_lines(output, 50) if line.startswith("kent: error: ")]
    if errors:
        return errors[-1].removeprefix("kent: error: ")
    words = last_lines(output, 1)
    return f"it ended with code {code}: {words[0] if words else 'without a word'} (see {output})"
