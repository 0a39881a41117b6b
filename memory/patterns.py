"""Patterns and the fixes in which they were seen; how often is a query, never a counter."""

import time
from collections.abc import Iterable
from typing import Any

from memory.encoding import list_to_json, to_json, with_json
from memory.errors import StoreError
from memory.repair_records import EvidenceRow, PatternCount, PatternRow
from memory.repair_sql import PAST, Batched

_INSERT_PATTERN = """
INSERT INTO patterns (key, operation, abstraction, created_at) VALUES (?, ?, ?, ?)
ON CONFLICT (key) DO NOTHING
"""
_INSERT_EVIDENCE = """
INSERT INTO pattern_evidence (pattern_id, task_id, pair_id, context, details, stage_run_id,
                              created_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
"""
_IDS = "SELECT key, id FROM patterns WHERE key IN (SELECT value FROM json_each(?))"
_COUNTS = f"""
SELECT p.key, p.operation, p.abstraction, p.id, count(e.task_id), count(e.pair_id)
FROM patterns p LEFT JOIN (
    SELECT e.pattern_id, e.task_id, e.pair_id FROM pattern_evidence e
    LEFT JOIN swe_tasks t ON t.id = e.task_id WHERE {PAST}) e ON e.pattern_id = p.id
WHERE (:operation IS NULL OR p.operation = :operation)
  AND (:keys IS NULL OR p.key IN (SELECT value FROM json_each(:keys)))
GROUP BY p.id HAVING :before IS NULL OR count(e.pattern_id) > 0
ORDER BY count(e.pattern_id) DESC, p.id
"""
_EVIDENCE = f"""
SELECT p.key, e.task_id, e.pair_id, e.context, e.details, e.stage_run_id, e.id
FROM pattern_evidence e JOIN patterns p ON p.id = e.pattern_id
LEFT JOIN swe_tasks t ON t.id = e.task_id
WHERE (:keys IS NULL OR p.key IN (SELECT value FROM json_each(:keys)))
  AND (:with_context = 0 OR e.context IS NOT NULL) AND {PAST}
ORDER BY e.id
"""


class Patterns(Batched):
    """Reads and writes of ``patterns`` and ``pattern_evidence``."""

    def add_patterns(self, rows: Iterable[PatternRow]) -> int:
        """Store patterns in one transaction; one whose key is there stays as it is.

        Returns:
            How many were new.
        """
        now = time.time()
        return self._insert_rows(
            _INSERT_PATTERN,
            [(row.key, row.operation, to_json(row.abstraction), now) for row in rows],
        )

    def add_evidence(self, rows: Iterable[EvidenceRow]) -> int:
        """Record in one transaction where patterns were seen; a pattern counts once in a fix.

        Returns:
            How many were new.

        Raises:
            SplitGuardError: a task is not a train task; then none is recorded.
            StoreError: a pattern, task or pair is unknown, or a row names not just one of the two.
        """
        rows, now = list(rows), time.time()
        if not rows:
            return 0
        with self._write() as connection:
            ids = dict(connection.execute(_IDS, (list_to_json({row.pattern for row in rows}),)))
            columns = [_evidence_to_columns(row, ids.get(row.pattern), now) for row in rows]
            return connection.executemany(_INSERT_EVIDENCE, columns).rowcount

    def patterns(
        self,
        *,
        operation: str | None = None,
        keys: Iterable[str] | None = None,
        before: float | None = None,
    ) -> list[PatternCount]:
        """The patterns with their counts, the most seen first.

        Args:
            operation: only those of this operation.
            keys: only these.
            before: only what is known from fixes before this time (Unix seconds) or without date;
                a pattern that was not seen by then is left out.
        """
        asked = {"operation": operation, "keys": _json_or_none(keys), "before": before}
        return [
            PatternCount(PatternRow(*with_json(row[:4], 2)), row[4], row[5])
            for row in self._select(_COUNTS, asked)
        ]

    def evidence(
        self,
        *,
        patterns: Iterable[str] | None = None,
        before: float | None = None,
        with_context: bool = False,
    ) -> list[EvidenceRow]:
        """Where these patterns (None: all) were seen, oldest row first; ``before`` as above.

        ``with_context`` leaves out those without a context.
        """
        asked = {"keys": _json_or_none(patterns), "before": before, "with_context": with_context}
        return [EvidenceRow(*with_json(row, 4)) for row in self._select(_EVIDENCE, asked)]


def _evidence_to_columns(row: EvidenceRow, pattern: int | None, now: float) -> tuple[Any, ...]:
    if pattern is None:
        raise StoreError(f"there is no pattern {row.pattern!r} in the store; add it first")
    if (row.task_id is None) == (row.pair_id is None):
        raise StoreError(
            f"evidence of the pattern {row.pattern!r} names either a task or a pair, not both"
        )
    return (
        pattern,
        row.task_id,
        row.pair_id,
        row.context,
        to_json(row.details),
        row.stage_run_id,
        now,
    )


def _json_or_none(values: Iterable[str] | None) -> str | None:
    return None if values is None else list_to_json(values)
