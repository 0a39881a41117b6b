"""The SQLite file ``kent.db``: how it is opened and copied, and one class for all its tables."""

import os
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from memory.behaviours import Behaviours
from memory.connection import (
    BUSY_TIMEOUT_S,
    CACHE_MB,
    FROZEN,
    OLDEST_SQLITE,
    Connections,
    Parameters,
    connect,
    plain_errors,
)
from memory.constraints import Constraints
from memory.errors import StoreError, StoreUnavailable
from memory.evaluations import Evaluations
from memory.events import Events
from memory.facts import Facts
from memory.files import PASSING
from memory.limits import ProblemLimits
from memory.models import Models
from memory.observations import Observations
from memory.patterns import Patterns
from memory.problems import Problems
from memory.repair_loops import RepairLoops
from memory.repair_pairs import RepairPairs
from memory.repairs import Repairs
from memory.resources import Resources
from memory.retention import Retention
from memory.rounds import Rounds
from memory.samples import Samples
from memory.swe_tasks import SweTasks
from memory.upgrade import bring_up_to_date

COPY_CACHE_MB = 1  # each page of a copy is read and written once: a larger cache would only grow
_CHECKPOINT_WAIT_MS = 5000


class Store(
    Problems,
    ProblemLimits,
    Samples,
    Behaviours,
    Models,
    Evaluations,
    Rounds,
    Events,
    RepairPairs,
    RepairLoops,
    Patterns,
    Facts,
    Constraints,
    Observations,
    Repairs,
    SweTasks,
    Resources,
    Retention,
):
    """Everything that KENT remembers in rows.

    It may be used by several threads at once, and the file by several processes. Each write is
    one short transaction: when the method has returned it is on the disk. Every method raises
    StoreError where SQLite fails, with what to do.
    """

    def __init__(self, connections: Connections) -> None:
        self.path = connections.path
        self._connections = connections

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        create: bool = True,
        read_only: bool = False,
        frozen: bool = False,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        cache_mb: int = CACHE_MB,
    ) -> Self:
        """Open the database at ``path`` and bring its tables up to date.

        Args:
            path: The file, ``kent.db`` in the state directory.
            create: Make the file, and its directory, where it is missing.
            read_only: SQLite itself refuses every write; nothing is made or migrated.
            frozen: As ``read_only``, of a file that nobody else writes either: see ``connect``.
            busy_timeout_s: How long to wait for another writer.
            cache_mb: How much of the file each connection may keep in memory.

        Raises:
            StoreVersionError: a newer KENT wrote the file.
            StoreError: it is absent, not KENT's, unwritable or locked, or the disk is full.
        """
        read_only = read_only or frozen
        create = create and not read_only
        _check_place(path, create=create, read_only=read_only)
        mode = "ro" if read_only else "rwc" if create else "rw"
        database = connect(path, mode, busy_timeout_s)
        try:
            with plain_errors(path):
                bring_up_to_date(database, path, mode, busy_timeout_s)
        finally:
            database.conn.close()
        kept = FROZEN if frozen else "ro" if read_only else "rw"
        return cls(Connections(path, kept, busy_timeout_s, cache_mb))

    def close(self) -> None:
        """Close the file; end the threads that use the store before. Twice is once."""
        self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def query(self, sql: str, params: Parameters = ()) -> list[dict[str, Any]]:
        """The rows of a query, by column name; a statement that would write is refused."""
        connection: sqlite3.Connection = self._connections.get(read_only=True).conn
        with plain_errors(self.path):
            cursor = connection.execute(sql, params)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def checkpoint(self) -> None:
        """Move the write-ahead log into the database file, as far as readers let it.

        It waits for them no longer than a few seconds: what is left is moved the next time. The
        pages that this thread's connections keep in memory are let go with it: those that were read
        long ago need not stay, and they would grow with the file.
        """
        connection = self._connections.get().conn
        with plain_errors(self.path):
            (wait_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
            connection.execute(f"PRAGMA busy_timeout={min(wait_ms, _CHECKPOINT_WAIT_MS)}")
            try:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                self._connections.shrink()
            finally:
                connection.execute(f"PRAGMA busy_timeout={wait_ms}")

    def copy_into(self, target: Path) -> None:
        """Write a copy of the database, as it is at this moment, to a file that is not there yet.

        Meanwhile others may write. The copy is one file, without a log beside it, and is not yet
        forced to the disk: ``memory.maintenance.backup`` sees to that.
        """
        copy_database(self._connections.get().conn, target)


def copy_database(source: sqlite3.Connection, target: Path) -> None:
    """Copy what a connection sees to a new file, by SQLite's backup API."""
    with plain_errors(target):
        copy = sqlite3.connect(target, isolation_level=None)
        try:
            for pragma in ("synchronous=OFF", f"cache_size=-{COPY_CACHE_MB * 1024}"):
                copy.execute(f"PRAGMA {pragma}")
            # In one step: step by step, each write of another process would start it again.
            source.backup(copy, pages=-1)
            copy.execute("PRAGMA journal_mode=DELETE")
        finally:
            copy.close()


def _check_place(path: Path, *, create: bool, read_only: bool) -> None:
    """Say in plain words what SQLite would say as "unable to open database file"."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        needed = ".".join(map(str, OLDEST_SQLITE))
        raise StoreError(f"SQLite is {sqlite3.sqlite_version}, KENT needs {needed}: update Python")
    if create:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            kind = StoreUnavailable if error.errno in PASSING else StoreError
            raise kind(
                f"{path.parent} cannot be made: {error.strerror}; choose another state directory"
            ) from error
    elif not path.exists():
        raise StoreError(f"{path} does not exist; `kent daemon start` or `kent round` makes it")
    if not path.is_file() and path.exists():
        raise StoreError(f"{path} is not a file; choose another state directory")
    for place in (path, path.parent):
        if not read_only and place.exists() and not os.access(place, os.W_OK):
            raise StoreUnavailable(
                f"{place} cannot be written; check its permissions and whether its file system "
                "is mounted read-only"
            )
