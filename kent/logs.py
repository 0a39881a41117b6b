"""The log files of a state directory: daemon.log, one a stage, their rotation, tail and follow."""

import logging
import os
import shutil
import sys
import time
from collections import deque
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO

log = logging.getLogger("kent")

_FORMAT = "%(asctime)s %(levelname)-7s %(message)s"


def log_dir(state_dir: Path) -> Path:
    """Where the logs are."""
    return state_dir / "logs"


def log_path(state_dir: Path, name: str = "daemon") -> Path:
    """The log of the daemon or of a stage."""
    return log_dir(state_dir) / f"{name}.log"


def set_up(state_dir: Path, *, max_mb: float, keep: int, stderr: bool) -> None:
    """Log to ``daemon.log``, rotated, and to standard error where ``stderr`` says so."""
    log_dir(state_dir).mkdir(parents=True, exist_ok=True)
    formatter = logging.Formatter(_FORMAT, "%Y-%m-%d %H:%M:%S")
    handlers: list[logging.Handler] = [
        RotatingFileHandler(
            log_path(state_dir), maxBytes=int(max_mb * 2**20), backupCount=keep, encoding="utf-8"
        )
    ]
    if stderr:
        handlers.append(_Stderr())
    for handler in handlers:
        handler.setFormatter(formatter)
        log.addHandler(handler)
        logging.getLogger("memory").addHandler(handler)  # what it puts right in the database
    log.setLevel(logging.INFO)
    log.propagate = False


class _Stderr(logging.StreamHandler[TextIO]):
    """Whatever standard error is at the moment: a live progress bar puts itself in front of it."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        """Standard error stays ours; the base class sets the stream when it is made."""


def rotate_stage_logs(state_dir: Path, *, max_mb: float, keep: int) -> None:
    """Rotate what stages and engines write; the daemon rotates its own log as it writes."""
    for path in log_dir(state_dir).glob("*.log"):
        if path != log_path(state_dir):
            rotate(path, max_mb=max_mb, keep=keep)


def rotate(path: Path, *, max_mb: float, keep: int) -> None:
    """Rotate a file that others append to: it is copied and cut, its writers keep their handle."""
    if not path.exists() or path.stat().st_size <= max_mb * 2**20:
        return
    for number in range(keep - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)


def last_lines(path: Path, count: int) -> list[str]:
    """The last ``count`` lines; none where there is no file."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n") for line in deque(file, maxlen=count)]
    except FileNotFoundError:
        return []


def follow(path: Path, *, poll_s: float = 0.2) -> Iterator[str]:
    """Lines as they are written, across rotations, until the caller has enough."""
    position = path.stat().st_size if path.exists() else 0
    inode = path.stat().st_ino if path.exists() else 0
    rest = ""
    while True:
        if path.exists():
            now = path.stat()
            if now.st_ino != inode or now.st_size < position:
                inode, position = now.st_ino, 0
            with path.open(encoding="utf-8", errors="replace") as file:
                file.seek(position)
                *lines, rest = (rest + file.read()).split("\n")
                position = file.tell()
            yield from lines
        time.sleep(poll_s)
