"""A frozen store: SQLite refuses every write, leaves nothing beside it, and a fork reads it too."""

import os

import pytest

from memory.errors import StoreError
from memory.store import Store


@pytest.fixture
def path(tmp_path):
    with Store.open(tmp_path / "state" / "kent.db") as store:
        store.event("a", "first")
        store.copy_into(tmp_path / "kent.db")
    return tmp_path / "kent.db"


def test_it_is_read_and_nothing_is_written(path):
    before = path.stat().st_mtime_ns
    with Store.open(path, frozen=True) as store:
        assert [event["message"] for event in store.events()] == ["first"]
        for write in (
            lambda: store.event("b", "second"),
            lambda: store.open_round(seed=1, config={}, code_version="0"),
            lambda: store.query("DELETE FROM events"),
        ):
            with pytest.raises(StoreError, match="readonly"):
                write()
        assert len(store.events()) == 1
    assert path.stat().st_mtime_ns == before
    assert [one.name for one in path.parent.iterdir() if one.is_file()] == ["kent.db"]


def test_a_child_that_was_forked_reads_it_by_a_connection_of_its_own(path):
    with Store.open(path, frozen=True) as store:
        store.events()
        child = os.fork()
        if child == 0:
            os._exit(0 if store.events()[0]["message"] == "first" else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert len(store.events()) == 1


def test_another_store_is_still_refused_in_a_child(path):
    with Store.open(path, read_only=True) as store:
        store.events()
        child = os.fork()
        if child == 0:
            try:
                store.events()
            except StoreError:
                os._exit(0)
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0


def test_one_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(StoreError, match="does not exist"):
        Store.open(tmp_path / "kent.db", frozen=True)
