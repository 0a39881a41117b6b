"""Repairs, solved or not, and the tasks that a model was trained on."""

import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from memory.encoding import clean_text, finite_tree, to_json, with_json
from memory.repair_records import RepairRow
from memory.repair_sql import Batched, insert_once

_KEY = ("task_id", "mode", "model_id")
_INSERT = insert_once(
    "repairs",
    (*_KEY, "outcome", "candidates", "patch", "evidence", "confidence", "seconds"),
    _KEY,
    ("model_id",),
)
_SELECT = """
SELECT r.task_id, r.mode, r.outcome, r.candidates, r.seconds, r.patch, r.evidence, r.confidence,
       r.model_id, r.stage_run_id, r.id
FROM repairs r LEFT JOIN stage_runs s ON s.id = r.stage_run_id
WHERE (:round_id IS NULL OR s.round_id = :round_id) AND (:mode IS NULL OR r.mode = :mode)
  AND (:task_id IS NULL OR r.task_id = :task_id)
ORDER BY r.id
"""


class Repairs(Batched):
    """Reads and writes of ``repairs`` and ``training_tasks``."""

    def add_repairs(self, rows: Iterable[RepairRow]) -> int:
        """Record repairs in one transaction; a task counts once a mode, model and round.

        Record what was learned from a task before its repair: a task whose repair is there is done.

        Returns:
            How many were new.

        Raises:
            StoreError: a task or model is unknown, or an outcome is none; then none is recorded.
        """
        now = time.time()
        return self._insert_rows(_INSERT, [_to_columns(row, now) for row in rows])

    def repairs(
        self,
        *,
        round_id: int | None = None,
        mode: str | None = None,
        task_id: str | None = None,
    ) -> list[RepairRow]:
        """The repairs of a round, a mode and a task (None: of all), oldest first."""
        asked = {"round_id": round_id, "mode": mode, "task_id": task_id}
        return [RepairRow(*with_json(row, 6)) for row in self._select(_SELECT, asked)]

    def add_training_tasks(self, model_id: str, task_ids: Iterable[str]) -> None:
        """Record the tasks that a model learns from; a task counts once.

        Raises:
            SplitGuardError: a task is not a train task; then none is recorded.
            StoreError: the model or a task is unknown.
        """
        self._insert_rows(
            "INSERT INTO training_tasks (model_id, task_id) VALUES (?, ?) "
            "ON CONFLICT (model_id, task_id) DO NOTHING",
            [(model_id, task_id) for task_id in task_ids],
        )

    def training_tasks(self, model_id: str) -> set[str]:
        """The tasks that a model has learned from."""
        rows = self._select("SELECT task_id FROM training_tasks WHERE model_id = ?", (model_id,))
        return {task_id for (task_id,) in rows}


def _to_columns(row: RepairRow, now: float) -> dict[str, Any]:
    return {
        **asdict(row),
        "patch": clean_text(row.patch),
        "evidence": to_json(finite_tree(row.evidence)),
        "created_at": now,
    }
