"""Connections to the SQLite file: one a thread, their rules, and its errors in plain words."""

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from memory.errors import SplitGuardError, StoreError, StoreUnavailable
from memory.sqlite import Database

FROZEN = "frozen"
BUSY_TIMEOUT_S = 150.0  # another program may keep the file locked for a minute and more
CACHE_MB = 64  # of pages of the file that a connection may keep in memory
OLDEST_SQLITE = (3, 38, 0)  # STRICT tables and the JSON operators

_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another process has kept it locked for longer than the busy timeout; "
    "see who uses it with `kent daemon status`, then repeat",
    sqlite3.SQLITE_LOCKED: "another connection of this process keeps it locked; repeat",
    sqlite3.SQLITE_FULL: "the disk is full; free space and repeat: all that was committed is kept",
    sqlite3.SQLITE_READONLY: "it is open for reading only, or the file, its directory or its file "
    "system forbids writing; check the permissions and the mount",
    sqlite3.SQLITE_NOTADB: "it is not an SQLite database; name another file, or move it away",
    sqlite3.SQLITE_CORRUPT: "it is damaged; see `kent state verify` and restore a backup",
    sqlite3.SQLITE_IOERR: "the disk refused to read or write it; check the disk, its space and "
    "quota, then repeat",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that it is a file, and that it and its "
    "directory may be read and written",
}

_OF_THE_PLACE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
}

Parameters = Sequence[Any] | Mapping[str, Any]


class Connections:
    """One connection for each thread that asks, all opened by the same rules.

    A connection a thread, rather than one behind a lock, so that a heartbeat never waits for a
    long read of another thread; SQLite itself lines up the writers, of all threads and processes.
    End the threads before ``close``. After a fork a child must open a store of its own, but for a
    frozen one.
    """

    def __init__(
        self, path: Path, mode: str, busy_timeout_s: float, cache_mb: int = CACHE_MB
    ) -> None:
        self.path = path
        self.mode = mode
        self.busy_timeout_s = busy_timeout_s
        self.cache_mb = cache_mb
        # SQLite's writers poll for their turn; those of one process had better queue for it. One
        # that a signal handler begins inside another is refused by SQLite, where it would hang.
        self.writing = threading.RLock()
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._closed = False
        self._open: dict[tuple[threading.Thread, str], Database] = {}
        self._inherited: dict[tuple[threading.Thread, str], Database] = {}

    def get(self, *, read_only: bool = False) -> Database:
        """The connection of this thread; ``read_only``: one that SQLite lets write nothing."""
        mode = "ro" if read_only and self.mode != FROZEN else self.mode
        key = (threading.current_thread(), mode)
        if self._pid != os.getpid():
            self._after_fork()
        with self._lock:
            if self._closed:
                raise StoreError(f"{self.path}: this store was closed; open it again")
            if key not in self._open:
                self._close_of_ended_threads()
                self._open[key] = connect(self.path, mode, self.busy_timeout_s, self.cache_mb)
            return self._open[key]

    def _after_fork(self) -> None:
        """Open a frozen file anew in the child: it has no lock or log that two could share."""
        if self.mode != FROZEN:
            raise StoreError(f"{self.path}: opened by a parent process; open it here")
        self._lock = threading.RLock()
        self._inherited, self._open = self._open, {}  # kept: to close them is the parent's business
        self._pid = os.getpid()

    def close(self) -> None:
        """Close the connections of all threads; a second call does nothing."""
        with self._lock:
            self._closed = True
            while self._open:
                self._open.popitem()[1].conn.close()

    def shrink(self) -> None:
        """Forget the pages that this thread's connections keep; they are read anew when needed."""
        with self._lock:
            here = threading.current_thread()
            mine = [database for (thread, _), database in self._open.items() if thread is here]
        for database in mine:
            database.conn.execute("PRAGMA shrink_memory")

    def _close_of_ended_threads(self) -> None:
        for key in [key for key in self._open if not key[0].is_alive()]:
            self._open.pop(key).conn.close()


def connect(path: Path, mode: str, busy_timeout_s: float, cache_mb: int = CACHE_MB) -> Database:
    """A connection by KENT's rules; ``mode`` is SQLite's ``ro``, ``rw`` or ``rwc``, or ``frozen``.

    ``frozen`` is for a file that nobody writes: SQLite takes no lock, makes no log beside it and
    refuses every write.

    ``synchronous=FULL`` and not NORMAL, which in WAL mode may lose the last commits at a power
    loss: checkpoint files on the disk follow from rows (the examples that a model was trained on,
    the row that names a file), and work that was told done is not done again. It costs one fsync
    a commit; since writes are batched, that is milliseconds a second.
    """
    access = "ro&immutable=1" if mode == FROZEN else mode
    with plain_errors(path):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={access}",
            uri=True,
            timeout=busy_timeout_s,
            isolation_level=None,  # transactions are begun by us alone
            check_same_thread=False,  # `close` may run in another thread than the use
        )
        try:
            cache = f"cache_size=-{cache_mb * 1024}"  # negative: in KiB, not in pages
            for pragma in ("foreign_keys=ON", "synchronous=FULL", cache):
                connection.execute(f"PRAGMA {pragma}")
            if mode == FROZEN:
                connection.execute("PRAGMA query_only=ON")
            elif mode != "ro":
                # 16 MB of log between checkpoints, not 4: far fewer fsyncs where much is written.
                connection.execute("PRAGMA wal_autocheckpoint=4000")
                connection.execute("PRAGMA journal_size_limit=67108864")
            return Database(connection, execute_plugins=False)
        except BaseException:
            connection.close()
            raise


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite raises inside into a StoreError of one clear line."""
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise _plain(error, path) from error
    except (OverflowError, UnicodeEncodeError) as error:
        raise StoreError(f"{path}: a value cannot be stored: {error}") from error


def _plain(error: Exception, path: Path) -> StoreError:
    if "split guard" in str(error):
        return SplitGuardError(f"{path}: {error}; only samples of train problems may train a model")
    # The low byte is the primary code, the rest says more closely what happened.
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    remedy = _REMEDIES.get(primary) if primary is not None else None
    kind = StoreUnavailable if primary in _OF_THE_PLACE else StoreError
    return kind(f"{path}: {error}" + (f": {remedy}" if remedy else ""))


class Connected:
    """What the table classes share: reads and write transactions on this thread's connection."""

    path: Path
    _connections: Connections

    def _select(self, sql: str, parameters: Parameters = ()) -> list[Any]:
        with plain_errors(self.path):
            return list(self._connections.get().conn.execute(sql, parameters).fetchall())

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """A short write transaction: all of it is committed, or nothing.

        It begins IMMEDIATE, so that it waits for the lock before it has read anything; one that
        read first and wrote later could fail at once, whatever the busy timeout.
        """
        connection: sqlite3.Connection = self._connections.get().conn
        with self._connections.writing, plain_errors(self.path):
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # SQLite ended it itself where the disk is full
                    connection.execute("ROLLBACK")
                raise
