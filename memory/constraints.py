"""Constraints: attempts with how near they came, in the order in which they were recorded."""

import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from memory.errors import StoreError
from memory.repair_records import ConstraintRow
from memory.repair_sql import PAST, Batched, insert_once

_KEY = ("task_id", "problem_id", "context", "operation", "file_role", "operator")
_INSERT = insert_once("constraints", (*_KEY, "partial_score"), _KEY, _KEY[:2])
_LATEST = f"""
SELECT * FROM (
    SELECT c.context, c.operation, c.file_role, c.operator, c.partial_score, c.task_id,
           c.problem_id, c.stage_run_id, c.id
    FROM constraints c LEFT JOIN swe_tasks t ON t.id = c.task_id WHERE {PAST}
    ORDER BY c.id DESC LIMIT :limit)
ORDER BY id
"""


class Constraints(Batched):
    """Reads and writes of ``constraints``."""

    def add_constraints(self, rows: Iterable[ConstraintRow]) -> int:
        """Record attempts in one transaction; the same on one task counts once a round.

        Of several in one batch that are alike in all but their score the best is kept.

        Returns:
            How many were new.

        Raises:
            SplitGuardError: a task or problem is not of the train split; then none is recorded.
            StoreError: one is unknown, or a row names not just one of the two.
        """
        now = time.time()
        return self._insert_rows(
            _INSERT, [{**asdict(row), "created_at": now} for row in distinct(rows)]
        )

    def constraints(
        self, *, before: float | None = None, limit: int | None = None
    ) -> list[ConstraintRow]:
        """The latest ``limit`` attempts (None: all), oldest first.

        ``before``: only those on tasks before this time (Unix seconds) or without a date.
        """
        asked = {"before": before, "limit": -1 if limit is None else limit}
        return [ConstraintRow(*row) for row in self._select(_LATEST, asked)]


def distinct(rows: Iterable[ConstraintRow]) -> list[ConstraintRow]:
    """One row for each key, that with the best score, in the order in which the keys came.

    Raises:
        StoreError: a score is not between 0 and 1.
    """
    best: dict[tuple[Any, ...], ConstraintRow] = {}
    for row in rows:
        if not 0 <= row.partial_score <= 1:
            raise StoreError(f"a partial score lies in [0, 1], not {row.partial_score:g}")
        key = (row.stage_run_id, *(getattr(row, name) for name in _KEY))
        if key not in best or row.partial_score > best[key].partial_score:
            best[key] = row
    return list(best.values())
