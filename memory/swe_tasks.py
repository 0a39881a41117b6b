"""SWE tasks in the store: each with its split, its code packed, read one batch after another."""

import json
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from sqlite3 import Connection
from typing import Any, Literal

from memory.connection import Connected
from memory.encoding import clean_text, list_to_json, to_json
from memory.errors import SplitGuardError, StoreError

SweSplit = Literal["train", "validation", "test"]

WRITE_BATCH = 64
"""Tasks a transaction: a task's code is some 100 kB, packed."""

READ_BATCH = 32
_LEVEL = 6

_UPSERT = """
INSERT INTO swe_tasks (id, source, repo, base_commit, base_date, issue, split, rule, trees, body,
                       imported_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    source = excluded.source, repo = excluded.repo, base_commit = excluded.base_commit,
    base_date = excluded.base_date, issue = excluded.issue, trees = excluded.trees,
    body = excluded.body, imported_at = excluded.imported_at
WHERE (source, repo, base_commit, base_date, issue, trees, body)
    IS NOT (excluded.source, excluded.repo, excluded.base_commit, excluded.base_date,
            excluded.issue, excluded.trees, excluded.body)
"""
_WANTED = """
(:split IS NULL OR split = :split) AND (:source IS NULL OR source = :source)
  AND (:ids IS NULL OR id IN (SELECT value FROM json_each(:ids)))
"""
# By the key and not by an offset: a batch costs the same wherever it is, and no cursor stays open
# while the caller works, which may take hours.
_SELECT = f"""
SELECT id, source, repo, base_commit, base_date, issue, split, rule, trees, body
FROM swe_tasks WHERE id > :after AND {_WANTED} ORDER BY id LIMIT {READ_BATCH}
"""
_COUNT = """
SELECT source, split, count(*) FROM swe_tasks GROUP BY source, split ORDER BY source, split
"""


@dataclass(frozen=True)
class SweTaskRow:
    """A SWE task; ``body`` is what only its reader understands: code, tests, metadata, as JSON.

    ``base_date``: of the base commit, in seconds since 1970. ``trees`` says where the repository's
    files are; None: there is no repository. ``rule`` is the text of the rule that fixed ``split``.
    """

    id: str
    source: str
    repo: str
    issue: str
    split: SweSplit
    rule: str
    body: dict[str, Any]
    base_commit: str | None = None
    base_date: float | None = None
    trees: dict[str, Any] | None = None


@dataclass(frozen=True)
class SweTaskCount:
    """How many tasks of a source are in a split."""

    source: str
    split: SweSplit
    n: int


class SweTasks(Connected):
    """Reads and writes of ``swe_tasks``."""

    def add_swe_tasks(self, rows: Iterable[SweTaskRow]) -> int:
        """Store tasks, ``rows`` read batch by batch; the same again changes nothing.

        Returns:
            How many were new or had changed.

        Raises:
            SplitGuardError: a task is already in another split; none of its batch is stored.
        """
        changed, remaining = 0, iter(rows)
        while batch := list(islice(remaining, WRITE_BATCH)):
            now = time.time()
            packed = [_to_columns(row, now) for row in batch]
            with self._write() as connection:
                _refuse_moved(connection, batch)
                changed += max(connection.executemany(_UPSERT, packed).rowcount, 0)
        return changed

    def swe_tasks(
        self,
        *,
        split: SweSplit | None = None,
        source: str | None = None,
        ids: Iterable[str] | None = None,
    ) -> Iterator[SweTaskRow]:
        """Give the tasks of a split, a source and these ids (None: of all), ordered by id.

        A batch at a time is in memory; what others write meanwhile may be among what comes later.
        """
        wanted = {
            "split": split,
            "source": source,
            "ids": None if ids is None else list_to_json(ids),
        }
        after = ""
        while rows := self._select(_SELECT, {**wanted, "after": after}):
            for row in rows:
                yield _from_columns(row)
            after = rows[-1][0]

    def swe_splits(self, ids: Iterable[str]) -> dict[str, SweSplit]:
        """Give the split of those of these tasks that are stored, by id."""
        return dict(
            self._select(
                "SELECT id, split FROM swe_tasks WHERE id IN (SELECT value FROM json_each(?))",
                (list_to_json(ids),),
            )
        )

    def count_swe_tasks(self) -> list[SweTaskCount]:
        """Count the tasks by source and split; what has none is not listed."""
        return [SweTaskCount(*row) for row in self._select(_COUNT)]


def _refuse_moved(connection: Connection, rows: Sequence[SweTaskRow]) -> None:
    stored = dict(
        connection.execute(
            "SELECT id, split FROM swe_tasks WHERE id IN (SELECT value FROM json_each(?))",
            (list_to_json(row.id for row in rows),),
        )
    )
    moved = [row for row in rows if stored.setdefault(row.id, row.split) != row.split]
    if moved:
        first = moved[0]
        raise SplitGuardError(
            f"split guard: {len(moved)} SWE tasks would change their split, the first is "
            f"{first.id} (stored as {stored[first.id]}, now {first.split}); "
            "use another state directory for another split"
        )


def _to_columns(row: SweTaskRow, now: float) -> tuple[Any, ...]:
    return (
        row.id,
        row.source,
        row.repo,
        row.base_commit,
        row.base_date,
        clean_text(row.issue),
        row.split,
        row.rule,
        None if row.trees is None else to_json(row.trees),
        zlib.compress(to_json(row.body).encode("ascii"), _LEVEL),
        now,
    )


def _from_columns(row: tuple[Any, ...]) -> SweTaskRow:
    identity, source, repo, base_commit, base_date, issue, split, rule, trees, body = row
    try:
        unpacked = json.loads(zlib.decompress(body))
    except (zlib.error, ValueError) as error:
        raise StoreError(
            f"the SWE task {identity} is damaged ({error}); see `kent state verify`"
        ) from error
    return SweTaskRow(
        id=identity,
        source=source,
        repo=repo,
        issue=issue,
        split=split,
        rule=rule,
        body=unpacked,
        base_commit=base_commit,
        base_date=base_date,
        trees=None if trees is None else json.loads(trees),
    )
