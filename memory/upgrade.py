"""Bringing a database file up to date: its migrations, its write-ahead log, indexes it lacks."""

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import MappingProxyType

from memory.errors import StoreError, StoreVersionError
from memory.schema import migrations
from memory.sqlite import Database

log = logging.getLogger("memory")

LISTING = (
    "SELECT type || ' ' || name AS what, sql FROM sqlite_master "
    "WHERE sql IS NOT NULL AND tbl_name <> '_sqlite_migrations'"  # sqlite-utils' own
)
"""What a schema is made of, by kind and name, such as ``index events_level``, with its SQL."""

# Rows that a unique index would refuse; a column that it wants and a development version lacks.
_CANNOT_BE = {sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_ERROR}


def known_migrations() -> list[str]:
    """The names of the migrations that this KENT knows, oldest first."""
    database = Database(memory=True)
    try:
        return [migration.name for migration in migrations.pending(database)]
    finally:
        database.conn.close()


@cache
def wanted_schema() -> MappingProxyType[str, str]:
    """What the migrations make, in the form of ``LISTING``."""
    fresh = Database(memory=True)
    try:
        migrations.apply(fresh)
        return MappingProxyType(dict(fresh.conn.execute(LISTING).fetchall()))
    finally:
        fresh.conn.close()


def bring_up_to_date(database: Database, path: Path, mode: str, busy_timeout_s: float) -> None:
    """Apply the migrations that are missing; refuse what is not of this KENT or an older one.

    Args:
        database: a connection to the file.
        path: the file, for messages.
        mode: of the connection; ``ro`` changes nothing, and refuses a file that is too old.
        busy_timeout_s: how long to wait for others that use it.

    Raises:
        StoreVersionError: a newer KENT wrote it.
        StoreError: it is not KENT's, or too old and open for reading only.
        sqlite3.Error: it cannot be read or written.
    """
    with database.atomic():  # one moment of the file: others may be making its tables just now
        applied = {migration.name for migration in migrations.applied(database)}
        empty = not database.table_names()
    if newer := sorted(applied - set(known_migrations())):
        raise StoreVersionError(
            f"{path} was written by a newer KENT (it has {', '.join(newer)}); "
            "update KENT or use another state directory"
        )
    if not applied and not (empty and mode == "rwc"):
        raise StoreError(
            f"{path} is not a database of KENT; name another file, or move this one away"
        )
    pending = set(known_migrations()) - applied
    if mode == "ro":
        if pending:
            raise StoreError(
                f"{path} is of an older KENT and open for reading only; `kent daemon start` or "
                "`kent round` brings it up to date"
            )
        return
    _switch_to_wal(database.conn, path, busy_timeout_s)
    # The lock is taken first: of several processes that find the file old, one changes it.
    if pending:
        with _locked(database):
            migrations.apply(database)
    if _missing_indexes(database):
        with _locked(database):
            _restore_indexes(database, path)


def _missing_indexes(database: Database) -> dict[str, str]:
    """The indexes that the migrations make and the file has not, with their SQL."""
    found = {what for what, _ in database.conn.execute(LISTING)}
    return {
        what: sql
        for what, sql in wanted_schema().items()
        if what.startswith("index ") and what not in found
    }


def _restore_indexes(database: Database, path: Path) -> None:
    """Make the indexes that a development version or another program has left out.

    One that the rows do not allow stays missing, and ``kent state verify`` goes on to say so.
    """
    for what, sql in _missing_indexes(database).items():
        try:
            database.conn.execute(sql)
        except sqlite3.Error as error:
            if error.sqlite_errorcode & 0xFF not in _CANNOT_BE:
                raise
            log.warning("%s: %s is missing and cannot be made: %s", path, what, error)
        else:
            log.warning("%s: %s was missing and was made", path, what)


@contextmanager
def _locked(database: Database) -> Iterator[None]:
    """One transaction that waits for the writers' lock before it reads."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        database.rollback()
        raise


def _switch_to_wal(connection: sqlite3.Connection, path: Path, busy_timeout_s: float) -> None:
    """Turn write-ahead logging on; SQLite does not wait for others here, so that we must."""
    deadline = time.monotonic() + busy_timeout_s
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    if mode != "wal":
        raise StoreError(
            f"{path}: its file system does not take SQLite's write-ahead log; "
            "put the state directory on a local disk"
        )
