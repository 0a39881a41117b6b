"""Neural memories: what they recall from which key, their labels, and the weights they had."""

import hashlib
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from memory.encoding import list_to_json
from memory.errors import StoreError
from memory.repair_records import FactRow, MemoryRow, MemoryVersion
from memory.repair_sql import PAST, Batched

_INSERT = """
INSERT INTO facts (memory, value_index, key, key_hash, task_id, problem_id, stage_run_id,
                   created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (memory, key_hash, value_index) DO NOTHING
"""
_SELECT = f"""
SELECT f.memory, l.label, f.key, f.task_id, f.problem_id, f.stage_run_id, f.value_index, f.id
FROM facts f JOIN fact_labels l ON l.memory = f.memory AND l.value_index = f.value_index
LEFT JOIN swe_tasks t ON t.id = f.task_id
WHERE f.memory = :memory AND f.id > :after
  AND (:ids IS NULL OR f.id IN (SELECT value FROM json_each(:ids))) AND {PAST}
ORDER BY f.id LIMIT :limit
"""
_IDS = f"""
SELECT f.id FROM facts f LEFT JOIN swe_tasks t ON t.id = f.task_id
WHERE f.memory = :memory AND {PAST} ORDER BY f.id
"""
_NEW_VERSION = """
INSERT INTO memory_versions (memory, version, checkpoint, sha256, last_fact, stage_run_id,
                             created_at)
SELECT ?, coalesce(max(version), 0) + 1, ?, ?, ?, ?, ? FROM memory_versions WHERE memory = ?
"""
_VERSIONS = """
SELECT memory, version, checkpoint, sha256, last_fact, stage_run_id, created_at
FROM memory_versions WHERE memory = ? ORDER BY version
"""
WORD = 8  # bytes; packed hypervectors are padded to whole 64-bit words


class Facts(Batched):
    """Reads and writes of ``memories``, ``fact_labels``, ``facts`` and ``memory_versions``."""

    def open_memory(self, row: MemoryRow, *, create: bool = True) -> bool:
        """Make a memory where it is not there yet; True where it is there now.

        Raises:
            StoreError: it is there, with keys of another size or seed.
        """
        if create:
            with self._write() as connection:
                connection.execute(
                    "INSERT INTO memories (name, dimensions, seed, created_at) VALUES (?, ?, ?, ?) "
                    "ON CONFLICT (name) DO NOTHING",
                    (row.name, row.dimensions, row.seed, time.time()),
                )
        stored = {memory.name: memory for memory in self.memories()}.get(row.name)
        if stored is not None and stored != row:
            raise StoreError(
                f"the memory {row.name!r} has keys of {stored.dimensions} dimensions by the seed "
                f"{stored.seed}, not of {row.dimensions} by {row.seed}; configure those again, or "
                "use another state directory"
            )
        return stored is not None

    def memories(self) -> list[MemoryRow]:
        """All memories, by name."""
        rows = self._select("SELECT name, dimensions, seed FROM memories ORDER BY name")
        return [MemoryRow(*row) for row in rows]

    def add_facts(self, rows: Iterable[FactRow]) -> int:
        """Store facts in one transaction; a key and its label are stored once.

        A label that is new to its memory gets the next index there, which it keeps for good.

        Returns:
            How many were new.

        Raises:
            SplitGuardError: a task or problem is not of the train split; then nothing is stored.
            StoreError: the memory, a task or problem is unknown, or a key is not of its size.
        """
        facts, now = list(rows), time.time()
        if not facts:
            return 0
        with self._write() as connection:
            indexes = {name: _indexes(connection, name, facts) for name in _names(facts)}
            columns = [_to_columns(row, indexes[row.memory][row.label], now) for row in facts]
            return connection.executemany(_INSERT, columns).rowcount

    def labels(self, memory: str) -> list[str]:
        """The labels of a memory; the place of each is its index."""
        sql = "SELECT label FROM fact_labels WHERE memory = ? ORDER BY value_index"
        return [label for (label,) in self._select(sql, (memory,))]

    def fact_ids(self, memory: str, *, before: float | None = None) -> list[int]:
        """The ids of a memory's facts, oldest first; ``before`` as for ``facts``."""
        asked = {"memory": memory, "before": before}
        return [fact_id for (fact_id,) in self._select(_IDS, asked)]

    def facts(
        self,
        memory: str,
        *,
        ids: Iterable[int] | None = None,
        after: int = 0,
        before: float | None = None,
        limit: int | None = None,
    ) -> list[FactRow]:
        """Facts of a memory, oldest first.

        Args:
            memory: its name.
            ids: only these.
            after: only facts with a greater id.
            before: only from tasks before this time (Unix seconds) or without a date.
            limit: at most so many.
        """
        asked = {
            "memory": memory,
            "ids": None if ids is None else list_to_json(ids),
            "after": after,
            "before": before,
            "limit": -1 if limit is None else limit,
        }
        return [FactRow(*row) for row in self._select(_SELECT, asked)]

    def add_memory_version(
        self,
        memory: str,
        checkpoint: Path,
        sha256: str,
        *,
        last_fact: int,
        stage_run_id: int | None,
    ) -> MemoryVersion:
        """Record weights that were saved; ``checkpoint`` is relative to the state directory.

        Write the file first: a row never names one that is not there.
        """
        if checkpoint.is_absolute() or ".." in checkpoint.parts:
            raise StoreError(f"{checkpoint}: a checkpoint is named relative to the state directory")
        what = (memory, checkpoint.as_posix(), sha256, last_fact, stage_run_id)
        with self._write() as connection:
            connection.execute(_NEW_VERSION, (*what, time.time(), memory))
        return self.memory_versions(memory)[-1]

    def memory_versions(self, memory: str) -> list[MemoryVersion]:
        """The versions of a memory's weights, oldest first; the last is in use."""
        return [MemoryVersion(*row) for row in self._select(_VERSIONS, (memory,))]


def _names(facts: Sequence[FactRow]) -> set[str]:
    return {row.memory for row in facts}


def _indexes(connection: Connection, memory: str, facts: Sequence[FactRow]) -> dict[str, int]:
    """The index of each label of these facts, new ones given out; the keys checked for size."""
    found = connection.execute("SELECT dimensions FROM memories WHERE name = ?", (memory,))
    row = found.fetchone()
    if row is None:
        raise StoreError(f"there is no memory {memory!r} in the store; open it first")
    size = -(-row[0] // (8 * WORD)) * WORD
    own = [fact for fact in facts if fact.memory == memory]
    if wrong := next((fact for fact in own if len(fact.key) != size), None):
        raise StoreError(
            f"a key of the memory {memory!r} has {size} bytes, not {len(wrong.key)} "
            f"({row[0]} dimensions, packed)"
        )
    listing = "SELECT label, value_index FROM fact_labels WHERE memory = ?"
    indexes: dict[str, int] = dict(connection.execute(listing, (memory,)))
    known = len(indexes)
    for fact in own:
        indexes.setdefault(fact.label, len(indexes))
    connection.executemany(
        "INSERT INTO fact_labels (memory, label, value_index) VALUES (?, ?, ?)",
        [(memory, label, index) for label, index in indexes.items() if index >= known],
    )
    return indexes


def _to_columns(row: FactRow, value_index: int, now: float) -> tuple[Any, ...]:
    key_hash = hashlib.sha256(row.key).hexdigest()
    source = (row.task_id, row.problem_id, row.stage_run_id)
    return (row.memory, value_index, row.key, key_hash, *source, now)
