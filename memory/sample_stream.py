"""Judged samples one after the other, as the store is at one moment: what an export reads."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from memory.connection import BUSY_TIMEOUT_S, connect, plain_errors
from memory.records import Split

# A program may have been judged by several sandboxes: the verdict that was made last counts.
_FROM = """
FROM samples x CROSS JOIN problems p ON p.id = x.problem_id
CROSS JOIN splits s ON s.problem_id = p.id
CROSS JOIN stage_runs r ON r.id = x.stage_run_id
CROSS JOIN rounds o ON o.id = r.round_id
LEFT JOIN verdicts v ON v.id = (
    SELECT max(id) FROM verdicts
    WHERE program_hash = x.program_hash AND tests_hash = p.tests_hash)
WHERE (:split IS NULL OR s.split = :split) AND (:source IS NULL OR p.source = :source)
  AND (:generator_id IS NULL OR x.generator_id = :generator_id)
  AND (:protocol IS NULL OR x.protocol = :protocol)
"""
# In the order of the unique key, whose index is walked: nothing is sorted, rows come at once.
_ROWS = f"""
SELECT x.id AS sample_id, x.problem_id, p.source, s.split, p.statement, p.entry_point, p.stub,
       p.visible_tests, p.imported_at > x.created_at AS problem_changed, x.completion, x.code,
       x.program_hash, x.tokens, x.logprob, x.finish_reason, x.generator_id, x.protocol, x.params,
       x.params_hash, x.seed, x.idx, v.verdict, v.failure, v.cpu_s, v.sandbox_version,
       v.sandbox_level, p.tests_hash, o.code_version
{_FROM} AND v.id IS NOT NULL
ORDER BY x.problem_id, x.generator_id, x.protocol, x.params_hash, x.idx
"""
_GROUPS = f"""
SELECT s.split, p.source, x.generator_id, x.protocol, v.verdict, count(*) AS samples
{_FROM} GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
"""
_PROBLEMS = f"SELECT count(DISTINCT x.problem_id) AS problems {_FROM} AND v.id IS NOT NULL"


@dataclass(frozen=True)
class SampleFilter:
    """Which samples are wanted; None lets all through."""

    split: Split | None
    source: str | None = None
    generator_id: str | None = None
    protocol: str | None = None


class SampleStream:
    """The samples that a filter lets through; counts and rows are of the same moment."""

    def __init__(self, connection: sqlite3.Connection, path: Path, wanted: SampleFilter) -> None:
        self._connection, self._path, self._asked = connection, path, asdict(wanted)

    def groups(self) -> list[dict[str, Any]]:
        """Count the samples by split, source, generator, protocol, verdict (None: not judged)."""
        return list(self._rows(_GROUPS))

    def problems(self) -> int:
        """Count the problems that have a judged sample."""
        return int(next(self._rows(_PROBLEMS))["problems"])

    def samples(self) -> Iterator[dict[str, Any]]:
        """Each judged sample with its problem and its last verdict, by problem; none is kept.

        ``problem_changed`` says that the problem was imported anew, changed, after it was sampled.
        """
        for row in self._rows(_ROWS):
            for column in ("visible_tests", "params", "failure"):
                row[column] = None if row[column] is None else json.loads(row[column])
            row["problem_changed"] = bool(row["problem_changed"])
            yield row

    def _rows(self, sql: str) -> Iterator[dict[str, Any]]:
        with plain_errors(self._path):
            cursor = self._connection.execute(sql, self._asked)
            names = [column[0] for column in cursor.description]
            for row in cursor:
                yield dict(zip(names, row, strict=True))


@contextmanager
def open_samples(path: Path, wanted: SampleFilter) -> Iterator[SampleStream]:
    """Open a stream on the database at ``path``, which others may write to meanwhile.

    Raises:
        StoreError: the file cannot be read.
    """
    connection: sqlite3.Connection = connect(path, "ro", BUSY_TIMEOUT_S).conn
    try:
        connection.execute("BEGIN")  # all that is read from here on is of one moment
        yield SampleStream(connection, path, wanted)
    finally:
        connection.close()
