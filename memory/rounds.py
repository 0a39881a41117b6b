"""Rounds and stage runs: what the daemon knows of its own work after any cut."""

import time
from typing import Any

from memory.connection import Connected
from memory.encoding import clean_text, finite_tree, to_json, with_json
from memory.errors import StoreError
from memory.records import RoundRow, StageRunRow

# In the order of the fields of RoundRow and StageRunRow.
_ROUND = "SELECT id, status, started_at, finished_at, seed, config, code_version FROM rounds"
_STAGE_RUN = """
SELECT id, round_id, stage, attempt, status, started_at, finished_at, heartbeat_at, pid, pid_start,
       phase, done, total, unit, error, metrics
FROM stage_runs
"""


class Rounds(Connected):
    """Reads and writes of ``rounds`` and ``stage_runs``."""

    def open_round(self, *, seed: int, config: dict[str, Any], code_version: str) -> RoundRow:
        """The round that was cut, as it was begun; where none was, a new one."""
        with self._write() as connection:
            row = connection.execute(f"{_ROUND} WHERE status = 'running'").fetchone()
            if row is None:
                cursor = connection.execute(
                    "INSERT INTO rounds (status, started_at, seed, config, code_version) "
                    "VALUES ('running', ?, ?, ?, ?)",
                    (time.time(), seed, to_json(config), code_version),
                )
                row = connection.execute(f"{_ROUND} WHERE id = ?", (cursor.lastrowid,)).fetchone()
        return _round(row)

    def close_round(self, round_id: int, status: str) -> None:
        """End a running round as ``done`` or ``failed``; one that ended keeps its first end."""
        with self._write() as connection:
            connection.execute(
                "UPDATE rounds SET status = ?, finished_at = ? WHERE id = ? AND status = 'running'",
                (status, time.time(), round_id),
            )

    def reopen_round(self, round_id: int) -> None:
        """Let a round that ended go on as one that was cut: each stage has one more attempt.

        Units of work that its stages finished are found done, so that what is computed from them is
        computed again and nothing else.
        """
        with self._write() as connection:
            connection.execute("UPDATE rounds SET status = 'running' WHERE id = ?", (round_id,))
            connection.execute(
                "UPDATE stage_runs SET status = 'stopped' WHERE round_id = ?", (round_id,)
            )

    def rounds(self) -> list[RoundRow]:
        """All rounds, oldest first."""
        return [_round(row) for row in self._select(f"{_ROUND} ORDER BY id")]

    def last_rounds(self, count: int) -> list[RoundRow]:
        """The newest ``count`` rounds, oldest first."""
        rows = self._select(f"{_ROUND} ORDER BY id DESC LIMIT ?", (count,))
        return [_round(row) for row in reversed(rows)]

    def round_count(self) -> int:
        """How many rounds there are."""
        # They are numbered from 1 and none is ever removed; to count them would read every page.
        return int(self._select("SELECT coalesce(max(id), 0) FROM rounds")[0][0])

    def current_round(self) -> RoundRow | None:
        """The round that is running, or was cut and is to go on."""
        rows = self._select(f"{_ROUND} WHERE status = 'running'")
        return _round(rows[0]) if rows else None

    def begin_stage_run(
        self, round_id: int, stage: str, *, pid: int | None, pid_start: float | None
    ) -> StageRunRow:
        """The next attempt of a stage in a round, ``running``."""
        now = time.time()
        with self._write() as connection:
            cursor = connection.execute(
                "INSERT INTO stage_runs (round_id, stage, attempt, status, started_at, "
                "heartbeat_at, pid, pid_start) SELECT ?, ?, coalesce(max(attempt), 0) + 1, "
                "'running', ?, ?, ?, ? FROM stage_runs WHERE round_id = ? AND stage = ?",
                (round_id, stage, now, now, pid, pid_start, round_id, stage),
            )
            row = connection.execute(f"{_STAGE_RUN} WHERE id = ?", (cursor.lastrowid,)).fetchone()
        return _stage_run(row)

    def set_stage_process(self, stage_run_id: int, pid: int, pid_start: float) -> None:
        """Say which process does a stage run; ``pid_start`` is its start in Unix seconds."""
        self._update_stage_run("pid = ?, pid_start = ?", (pid, pid_start), stage_run_id)

    def beat(self, stage_run_id: int, phase: str, done: int, total: int, unit: str) -> None:
        """A heartbeat with the progress; one that comes after the run's end changes nothing."""
        self._update_stage_run(
            "heartbeat_at = ?, phase = ?, done = ?, total = ?, unit = ?",
            (time.time(), phase, done, total, unit),
            stage_run_id,
        )

    def end_stage_run(
        self,
        stage_run_id: int,
        status: str,
        *,
        error: str | None = None,
        metrics: dict[str, Any] | None = None,
    ) -> None:
        """End a running stage run; one that ended keeps its first end.

        So a stage that ended itself and then died on its way out is not turned into a failure.
        """
        self._update_stage_run(
            "finished_at = ?, status = ?, error = ?, metrics = ?",
            (
                time.time(),
                status,
                None if error is None else clean_text(error),
                to_json(finite_tree(metrics or {})),
            ),
            stage_run_id,
        )

    def stage_runs(self, round_id: int) -> list[StageRunRow]:
        """The stage runs of a round in the order in which they were begun."""
        rows = self._select(f"{_STAGE_RUN} WHERE round_id = ? ORDER BY id", (round_id,))
        return [_stage_run(row) for row in rows]

    def _update_stage_run(self, assignments: str, values: tuple[Any, ...], run_id: int) -> None:
        with self._write() as connection:
            sql = f"UPDATE stage_runs SET {assignments} WHERE id = ? AND status = 'running'"
            if connection.execute(sql, (*values, run_id)).rowcount == 0:
                found = connection.execute("SELECT 1 FROM stage_runs WHERE id = ?", (run_id,))
                if found.fetchone() is None:
                    raise StoreError(f"there is no stage run {run_id} in the store")


def _round(row: tuple[Any, ...]) -> RoundRow:
    return RoundRow(*with_json(row, 5))


def _stage_run(row: tuple[Any, ...]) -> StageRunRow:
    return StageRunRow(*with_json(row, 15))
