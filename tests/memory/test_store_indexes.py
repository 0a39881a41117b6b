"""Indexes that a file lacks come back when it is opened; nothing else of its tables is touched."""

import logging
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.maintenance import verify
from memory.store import Store
from memory.upgrade import wanted_schema

INDEXES = sorted(what.split()[1] for what in wanted_schema() if what.startswith("index "))


def change(path: Path, *statements: str) -> None:
    """Do to the file what another program could."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


@settings(max_examples=10, deadline=None)
@given(st.sets(st.sampled_from(INDEXES), min_size=1))
def test_whichever_are_missing_come_back(tmp_path_factory, gone: set[str]):
    state = tmp_path_factory.mktemp("state")
    Store.open(state / "kent.db").close()
    change(state / "kent.db", *(f"DROP INDEX {name}" for name in gone))
    assert len(verify(state)) == len(gone)
    Store.open(state / "kent.db").close()
    assert verify(state) == []


def test_one_that_came_back_is_told_in_one_line_and_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "kent.db"
    Store.open(path).close()
    change(path, "DROP INDEX repair_pairs_problem")
    with caplog.at_level(logging.WARNING, "memory"):
        for _ in range(2):
            Store.open(path).close()
    [line] = caplog.messages
    assert line == f"{path}: index repair_pairs_problem was missing and was made"


def test_who_only_reads_makes_none(tmp_path: Path):
    path = tmp_path / "kent.db"
    Store.open(path).close()
    change(path, "DROP INDEX events_level")
    Store.open(path, read_only=True).close()
    assert verify(tmp_path) == ["index events_level is missing"]


def test_one_that_the_rows_do_not_allow_stays_missing_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "kent.db"
    row = "(status, started_at, seed, config, code_version) VALUES ('running', 1, 1, '{}', '')"
    Store.open(path).close()
    change(path, "DROP INDEX one_running_round", "DROP INDEX events_level")
    change(path, *[f"INSERT INTO rounds {row}"] * 2)
    with Store.open(path) as store:
        assert len(store.rounds()) == 2
    assert any("one_running_round is missing and cannot be made" in one for one in caplog.messages)
    assert verify(tmp_path) == ["index one_running_round is missing"]


def test_guards_that_are_missing_are_not_made_in_silence(tmp_path: Path):
    path = tmp_path / "kent.db"
    Store.open(path).close()
    change(path, "DROP TRIGGER guard_samples_insert")
    Store.open(path).close()
    assert verify(tmp_path) == ["trigger guard_samples_insert is missing"]
