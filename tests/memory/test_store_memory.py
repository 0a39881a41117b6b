"""What a store holds of its file in memory: no more than its cache, and nothing at rest.

SQLite counts its own bytes, so that nothing here depends on the system's allocator or on time.
"""

import ctypes
from collections.abc import Iterator
from pathlib import Path

import pytest

from memory.maintenance import backup
from memory.store import Store

MIB = 2**20
FILE_MIB = 12  # of which a cache of 1 MiB holds little


@pytest.fixture(scope="module")
def sqlite() -> ctypes.CDLL:
    """The library that Python's module uses, for its counters."""
    maps = Path("/proc/self/maps")
    lines = maps.read_text().splitlines() if maps.exists() else []
    found = {line.split()[-1] for line in lines if "libsqlite3" in line}
    if not found:
        pytest.skip("SQLite's own counters cannot be reached here")
    library = ctypes.CDLL(found.pop())
    for name in ("sqlite3_memory_used", "sqlite3_memory_highwater"):
        getattr(library, name).restype = ctypes.c_int64
    return library


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Store]:
    """A large file, opened anew with a small cache, as the daemon does."""
    path = tmp_path / "state" / "kent.db"
    with Store.open(path) as store:
        for _ in range(FILE_MIB):
            store.event("test", "x" * MIB)
    with Store.open(path, cache_mb=1) as store:
        yield store


def read_all(store: Store) -> None:
    """Read every page, by the connection that writes and by the one that only reads."""
    assert len(store.events(limit=99)) == FILE_MIB
    sums = store.query("SELECT sum(length(message)) AS size FROM events")
    assert sums[0]["size"] == FILE_MIB * MIB


def test_a_store_keeps_no_more_of_its_file_than_its_cache(small: Store, sqlite: ctypes.CDLL):
    before = sqlite.sqlite3_memory_used()
    read_all(small)
    assert 0 < sqlite.sqlite3_memory_used() - before < 3 * MIB


def test_after_a_checkpoint_no_connection_of_the_thread_keeps_pages(
    small: Store, sqlite: ctypes.CDLL
):
    small.query("SELECT id FROM events LIMIT 1")
    small.checkpoint()
    at_rest = sqlite.sqlite3_memory_used()
    read_all(small)
    assert sqlite.sqlite3_memory_used() - at_rest > MIB / 2
    small.checkpoint()
    assert sqlite.sqlite3_memory_used() - at_rest < MIB / 8


def test_a_backup_holds_little_of_the_file_and_nothing_after(
    small: Store, tmp_path: Path, sqlite: ctypes.CDLL
):
    before = sqlite.sqlite3_memory_used()
    sqlite.sqlite3_memory_highwater(1)
    backup(small.path, tmp_path / "copy.db")
    assert sqlite.sqlite3_memory_highwater(0) - before < 4 * MIB
    assert sqlite.sqlite3_memory_used() - before < MIB / 8
    assert (tmp_path / "copy.db").stat().st_size > FILE_MIB * MIB
