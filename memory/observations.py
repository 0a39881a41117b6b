"""Observations: which pattern succeeded or failed in which context; the counts are a query."""

import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from memory.repair_records import ObservationCount, ObservationRow
from memory.repair_sql import PAST, Batched, insert_once

_KEY = ("task_id", "problem_id", "context", "pattern")
_INSERT = insert_once("observations", (*_KEY, "success"), _KEY, _KEY[:2])
_COUNTS = f"""
SELECT o.context, o.pattern, sum(o.success), sum(1 - o.success)
FROM observations o LEFT JOIN swe_tasks t ON t.id = o.task_id WHERE {PAST}
GROUP BY o.context, o.pattern ORDER BY o.context, o.pattern
"""


class Observations(Batched):
    """Reads and writes of ``observations``."""

    def add_observations(self, rows: Iterable[ObservationRow]) -> int:
        """Record outcomes in one transaction; a pattern counts once a task, context and round.

        Of several in one batch on the same a success is what is kept.

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

    def observation_counts(self, *, before: float | None = None) -> list[ObservationCount]:
        """Successes and failures by context and pattern, in their order.

        ``before``: only on tasks before this time (Unix seconds) or without a date.
        """
        return [ObservationCount(*row) for row in self._select(_COUNTS, {"before": before})]


def distinct(rows: Iterable[ObservationRow]) -> list[ObservationRow]:
    """One row for each key, a success where there is one, in the order in which the keys came."""
    kept: dict[tuple[Any, ...], ObservationRow] = {}
    for row in rows:
        key = (row.stage_run_id, *(getattr(row, name) for name in _KEY))
        if row.success or key not in kept:
            kept[key] = row
    return list(kept.values())
