"""Progress for a person: rates and time left, a live line on a terminal, plain lines elsewhere."""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from kent.disk import in_words
from kent.logs import log
from memory.records import StageRunRow

if TYPE_CHECKING:  # rich is imported only where a terminal shows it
    from rich.progress import TaskID

_WINDOW_S = 60.0  # a rate looks back this far
_PLAIN_EVERY_S = 10.0


@dataclass(frozen=True)
class Pace:
    """How fast a phase goes: units a second, and seconds left; None where it cannot be told."""

    phase: str
    rate: float | None
    eta_s: float | None


class PaceMeter:
    """Measures the pace of the phase that a stage is in, from its rows as they come."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._phase = ""
        self._seen: list[tuple[float, int]] = []  # (when, done), within the window

    def update(self, row: StageRunRow) -> Pace:
        """The pace after another look at the row."""
        now = self._clock()
        if row.phase != self._phase or (self._seen and row.done < self._seen[-1][1]):
            self._phase, self._seen = row.phase, []
        if not self._seen or row.done != self._seen[-1][1] or now - self._seen[-1][0] > 1:
            self._seen.append((now, row.done))
        while len(self._seen) > 2 and now - self._seen[1][0] > _WINDOW_S:
            self._seen.pop(0)
        began, first = self._seen[0]
        rate = (row.done - first) / (now - began) if now - began > 0.5 else None
        left = max(row.total - row.done, 0)
        eta = left / rate if rate and row.total else None
        return Pace(row.phase, rate, eta)


class PaceFile:
    """The pace in ``run/pace.json``, so that ``kent daemon status`` need not measure it."""

    def __init__(self, state_dir: Path) -> None:
        self._path = pace_path(state_dir)
        self._meter = PaceMeter()

    def __call__(self, row: StageRunRow) -> Pace:
        """Measure and write."""
        pace = self._meter.update(row)
        temporary = self._path.with_suffix(".tmp")
        try:
            temporary.write_text(json.dumps({"stage_run_id": row.id, **asdict(pace)}), "utf-8")
            temporary.replace(self._path)
        except OSError as error:  # a full disk ends the work elsewhere, with a better message
            log.warning("the pace cannot be written: %s", error)
        return pace


def pace_path(state_dir: Path) -> Path:
    """Where the pace is."""
    return state_dir / "run" / "pace.json"


def read_pace(state_dir: Path, stage_run_id: int) -> Pace | None:
    """The last pace of a stage run; None where there is none."""
    try:
        document = json.loads(pace_path(state_dir).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if document.pop("stage_run_id", None) != stage_run_id:
        return None
    return Pace(**document)


def describe(row: StageRunRow, pace: Pace | None) -> str:
    """One line: stage, phase, done of total, rate, time left."""
    if row.status != "running":
        return f"{row.stage}: {row.status}{': ' + row.error if row.error else ''}"
    parts = [f"{row.stage}: {row.phase or 'starting'}"]
    if row.total:
        parts[0] += f" {row.done}/{row.total} {row.unit}"
    elif row.done:
        parts[0] += f" {row.done} {row.unit}"
    if pace and pace.rate:
        parts.append(f"{pace.rate:.3g}/s")
    if pace and pace.eta_s is not None:
        parts.append(f"{duration(pace.eta_s)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Seconds for a person: ``1 h 05 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class ProgressView:
    """Shows a stage's progress on standard error; use as a context manager."""

    def __init__(self, state_dir: Path) -> None:
        self._pace = PaceFile(state_dir)
        self._live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._bar = _Bar() if self._live else None
        self._last: tuple[int, str, str] | None = None
        self._last_at = 0.0

    def __enter__(self) -> "ProgressView":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, row: StageRunRow) -> None:
        """Show where the stage stands."""
        pace = self._pace(row)
        if self._bar:
            self._bar.show(row, pace)
            return
        state = (row.id, row.phase, row.status)
        if state == self._last and time.monotonic() - self._last_at < _PLAIN_EVERY_S:
            return
        self._last, self._last_at = state, time.monotonic()
        sys.stderr.write(describe(row, pace) + "\n")
        sys.stderr.flush()


class _Bar:
    """A live bar for the running phase; ended phases stay above it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[figures]}"),
            console=Console(stderr=True),
        )
        self._task: TaskID | None = None
        self._shown = ("", "")

    def start(self) -> None:
        self._progress.start()

    def stop(self) -> None:
        self._progress.stop()

    def show(self, row: StageRunRow, pace: Pace) -> None:
        key = (row.stage, row.phase)
        if key != self._shown or self._task is None:
            self._shown = key
            self._task = self._progress.add_task("", total=None, figures="")
        head, *figures = describe(row, pace).split(", ")
        self._progress.update(
            self._task,
            description=head,
            total=row.total or None,
            completed=row.done,
            figures=", ".join(figures),
        )


class DownloadView:
    """Tells how a download goes, on standard error: a line every ten seconds and at its end."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._began = time.monotonic()
        self._first: int | None = None
        self._last_at = 0.0

    def __call__(self, done: int, total: int, source: str) -> None:
        """``done`` of ``total`` bytes are there; ``source`` says where they come from."""
        now = time.monotonic()
        self._first = done if self._first is None else self._first
        live = sys.stderr.isatty()
        pause_s = 0.2 if live else _PLAIN_EVERY_S
        if done < total and now - self._last_at < pause_s:
            return
        self._last_at = now
        rate = (done - self._first) / max(now - self._began, 1e-3)
        text = f"{self._name}: {in_words(done)} of {in_words(total)} from {source}"
        if rate and done < total:
            text += f", {in_words(rate)}/s, {duration((total - done) / rate)} left"
        end = "" if live and done < total else "\n"
        sys.stderr.write(f"\r{text:<78}{end}" if live else f"{text}{end}")
        sys.stderr.flush()
