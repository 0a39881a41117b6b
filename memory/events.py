"""Events, which people read, and the processes that a later daemon may have to end."""

import json
import time
from typing import Any

from memory.connection import Connected
from memory.encoding import clean_text, finite_tree, to_json

_EVENT_COLUMNS = ("id", "at", "level", "kind", "message", "round_id", "stage_run_id", "data")
INSERT_EVENT = """
INSERT INTO events (at, level, kind, message, round_id, stage_run_id, data)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_PROCESS_COLUMNS = ("pid", "pid_start", "role", "command", "registered_at")


class Events(Connected):
    """Reads and writes of ``events`` and ``processes``."""

    def event(
        self,
        kind: str,
        message: str,
        *,
        level: str = "info",
        round_id: int | None = None,
        stage_run_id: int | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        """Record that something happened that a person may want to know."""
        row = (time.time(), level, kind, clean_text(message), round_id, stage_run_id)
        with self._write() as connection:
            connection.execute(INSERT_EVENT, (*row, to_json(finite_tree(data or {}))))

    def events(self, *, limit: int = 100, level: str | None = None) -> list[dict[str, Any]]:
        """The newest events first; ``level`` of None means of every level."""
        where = "" if level is None else "WHERE level = :level"
        rows = self._select(
            f"SELECT {', '.join(_EVENT_COLUMNS)} FROM events {where} ORDER BY id DESC LIMIT :limit",
            {"level": level, "limit": limit},
        )
        return [
            {**dict(zip(_EVENT_COLUMNS, row, strict=True)), "data": json.loads(row[-1])}
            for row in rows
        ]

    def register_process(self, pid: int, pid_start: float, role: str, command: str) -> None:
        """Remember a process that we started, by pid and start time in Unix seconds."""
        with self._write() as connection:
            connection.execute(
                "INSERT INTO processes (pid, pid_start, role, command, registered_at) "
                "VALUES (?, ?, ?, ?, ?) ON CONFLICT (pid, pid_start) DO UPDATE SET "
                "role = excluded.role, command = excluded.command",
                (pid, pid_start, role, clean_text(command), time.time()),
            )

    def forget_process(self, pid: int, pid_start: float) -> None:
        """A process has ended; forgetting it twice does nothing."""
        with self._write() as connection:
            connection.execute(
                "DELETE FROM processes WHERE pid = ? AND pid_start = ?", (pid, pid_start)
            )

    def processes(self) -> list[dict[str, Any]]:
        """The processes that are not forgotten, oldest first: pid, pid_start, role, command."""
        rows = self._select(
            f"SELECT {', '.join(_PROCESS_COLUMNS)} FROM processes ORDER BY registered_at, pid"
        )
        return [dict(zip(_PROCESS_COLUMNS, row, strict=True)) for row in rows]
