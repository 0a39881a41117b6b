"""Problems and their splits in the store."""

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from typing import Any

from memory.connection import Connected
from memory.encoding import list_to_json, to_json
from memory.errors import SplitGuardError
from memory.records import ProblemRow, Split

_UPSERT = """
INSERT INTO problems (id, source, statement, entry_point, stub, visible_tests, tests, tests_hash,
                      reference, metadata, imported_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    source = excluded.source, statement = excluded.statement, entry_point = excluded.entry_point,
    stub = excluded.stub, visible_tests = excluded.visible_tests, tests = excluded.tests,
    tests_hash = excluded.tests_hash, reference = excluded.reference, metadata = excluded.metadata,
    imported_at = excluded.imported_at
WHERE (source, statement, entry_point, stub, visible_tests, tests, tests_hash, reference, metadata)
    IS NOT (excluded.source, excluded.statement, excluded.entry_point, excluded.stub,
            excluded.visible_tests, excluded.tests, excluded.tests_hash, excluded.reference,
            excluded.metadata)
"""
_SELECT = """
SELECT p.id, p.source, p.statement, p.entry_point, s.split, p.tests, p.tests_hash, p.visible_tests,
       p.stub, p.reference, p.metadata
FROM problems p JOIN splits s ON s.problem_id = p.id
WHERE (:split IS NULL OR s.split = :split) AND (:source IS NULL OR p.source = :source)
ORDER BY p.id
"""


class Problems(Connected):
    """Reads and writes of ``problems`` and ``splits``."""

    def add_problems(self, rows: Iterable[ProblemRow], rule: str) -> int:
        """Store problems, each with its split as fixed by ``rule``; the same again changes nothing.

        Returns:
            How many were new or had changed.

        Raises:
            SplitGuardError: a problem is already in another split; then none is stored.
        """
        rows = list(rows)
        with self._write() as connection:
            _refuse_moved(connection, rows)
            now = time.time()
            cursor = connection.executemany(_UPSERT, [_to_columns(row, now) for row in rows])
            changed = cursor.rowcount
            connection.executemany(
                "INSERT INTO splits (problem_id, split, rule) VALUES (?, ?, ?) "
                "ON CONFLICT (problem_id) DO NOTHING",
                [(row.id, row.split, rule) for row in rows],
            )
        return max(changed, 0)

    def problems(
        self, *, split: Split | None = None, source: str | None = None
    ) -> list[ProblemRow]:
        """The problems of a split and a source (None: of all), ordered by id."""
        rows = self._select(_SELECT, {"split": split, "source": source})
        return [_from_columns(row) for row in rows]


def _refuse_moved(connection: sqlite3.Connection, rows: Sequence[ProblemRow]) -> None:
    stored = dict(
        connection.execute(
            "SELECT problem_id, split FROM splits "
            "WHERE problem_id IN (SELECT value FROM json_each(?))",
            (list_to_json(row.id for row in rows),),
        )
    )
    moved = [row for row in rows if stored.setdefault(row.id, row.split) != row.split]
    if moved:
        first = moved[0]
        raise SplitGuardError(
            f"split guard: {len(moved)} problems would change their split, the first is {first.id} "
            f"(stored as {stored[first.id]}, now {first.split}); "
            "use another state directory for another split rule"
        )


def _to_columns(row: ProblemRow, now: float) -> tuple[Any, ...]:
    return (
        row.id,
        row.source,
        row.statement,
        row.entry_point,
        row.stub,
        list_to_json(row.visible_tests),
        to_json(row.tests),
        row.tests_hash,
        row.reference,
        to_json(row.metadata),
        now,
    )


def _from_columns(row: tuple[Any, ...]) -> ProblemRow:
    identity, source, statement, entry_point, split, tests, tests_hash = row[:7]
    visible_tests, stub, reference, metadata = row[7:]
    return ProblemRow(
        id=identity,
        source=source,
        statement=statement,
        entry_point=entry_point,
        split=split,
        tests=json.loads(tests),
        tests_hash=tests_hash,
        visible_tests=tuple(json.loads(visible_tests)),
        stub=stub,
        reference=reference,
        metadata=json.loads(metadata),
    )
