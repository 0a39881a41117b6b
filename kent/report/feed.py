"""What the live page is told: how the running stage goes, and when the report has changed."""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from kent.progress import duration
from kent.status import status

# Anything that a section of the page is made of changes one of these.
_STATE = """
SELECT (SELECT coalesce(max(id), 0) FROM rounds), (SELECT count(*) FROM rounds WHERE status =
        'running'), (SELECT coalesce(max(id), 0) FROM stage_runs),
       (SELECT count(*) FROM stage_runs WHERE status = 'running'),
       (SELECT coalesce(max(id), 0) FROM promotions)
"""


class Feed:
    """The newest message, made anew at most every ``every_s`` seconds for all readers together."""

    def __init__(
        self,
        state_dir: Path,
        every_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state_dir, self._every_s, self._clock = state_dir, every_s, clock
        self._lock = threading.Lock()
        self._at = float("-inf")
        self._message: dict[str, Any] = {}

    def message(self) -> dict[str, Any]:
        """State, one line for a person, progress, and ``report``, which changes with the report."""
        with self._lock:
            if self._clock() - self._at >= self._every_s:
                self._message, self._at = self._look(), self._clock()
            return self._message

    def _look(self) -> dict[str, Any]:
        document = status(self._state_dir)
        stage = document["stage"] or {}
        running = stage.get("status") == "running"
        return {
            "state": document["state"],
            "text": in_a_line(document),
            "done": stage.get("done", 0) if running else 0,
            "total": stage.get("total", 0) if running else 0,
            "lamp": _lamp(document, running),
            "report": _report_state(self._state_dir / "kent.db"),
        }


def in_a_line(document: dict[str, Any]) -> str:
    """``Round 3 · critic, sample 12/90 problems · 2.1/s · 40 s left``, or why nothing goes on."""
    stage, current = document["stage"], document["round"]
    if document["waiting"]:
        return str(document["waiting"])
    if stage and stage["status"] == "running":
        parts = [f"Round {current['id']}", f"{stage['name']}, {stage['phase'] or 'starting'}"]
        if stage["total"]:
            parts[-1] += f" {stage['done']:,}/{stage['total']:,} {stage['unit']}"
        parts += [f"{stage['rate']:.3g}/s"] if stage["rate"] else []
        parts += [f"{duration(stage['eta_s'])} left"] if stage["eta_s"] is not None else []
        return " · ".join(parts)
    if document["next_due_at"]:
        return f"Next round in {duration(max(document['next_due_at'] - time.time(), 0))}"
    return f"The daemon is {document['state']}"


def _lamp(document: dict[str, Any], running: bool) -> str:
    if document["waiting"] or document["state"] == "crashed":
        return "stale"
    return "live" if running else "idle"


def _report_state(path: Path) -> str:
    """What changes with the report; empty where the database cannot be read."""
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        ) as connection:
            return "-".join(map(str, connection.execute(_STATE).fetchone()))
    except sqlite3.Error:
        return ""
