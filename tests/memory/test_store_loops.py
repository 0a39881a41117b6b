"""Repair loops: stored once a round, read back, the cost of each arm; an older file is upgraded."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from sqlite_utils import Database

from memory.errors import StoreError
from memory.records import ProblemRow
from memory.repair_loops import LoopRow
from memory.repair_records import RepairPairRow
from memory.schema import migrations
from memory.store import Store

STEPS = [
    {"arm": "flood", "base": None, "tokens": 40},
    {"arm": "infill", "base": 0, "tokens": 10},
    {"arm": "infill", "base": 1, "tokens": 30},
    {"arm": "edit", "base": 1, "tokens": 0},
]


def problem(name: str, split: str = "train") -> ProblemRow:
    return ProblemRow(
        id=name, source="s", statement="t", entry_point="f", split=split, tests={},
        tests_hash="h",
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path):
    with Store.open(tmp_path / "kent.db") as opened:
        opened.add_problems([problem("a"), problem("b", "test")], "rule")
        yield opened


def run_of(store: Store) -> int:
    round_id = store.open_round(seed=1, config={}, code_version="0").id
    return store.begin_stage_run(round_id, "fractal", pid=None, pid_start=None).id


def loop(run: int, **changes: object) -> LoopRow:
    row = LoopRow(
        "python", "training", "a", "repaired", 80, 1.5, "code", {"steps": STEPS},
        problem_id="a", right=True, stage_run_id=run,
    )  # fmt: skip
    return replace(row, **changes)


def test_a_loop_counts_once_a_round_and_comes_back_as_it_was(store):
    run = run_of(store)
    assert store.add_loops([loop(run)]) == 1
    assert store.add_loops([loop(run, tokens=9)]) == 0
    (back,) = store.loops(domain="python", mode="training")
    assert replace(back, id=None) == loop(run)
    assert store.loops(mode="evaluation") == []


def test_arms_cost_what_their_patches_of_training_took(store):
    run = run_of(store)
    store.add_loops([loop(run), loop(run, mode="evaluation", task="b", problem_id="b", right=None)])
    assert store.arm_costs("python") == {"edit": (1, 0), "infill": (2, 40)}
    assert store.arm_costs("synthetic") == {}
    assert store.loops(mode="evaluation")[0].right is None


def test_a_loop_of_an_unknown_problem_is_refused(store):
    with pytest.raises(StoreError):
        store.add_loops([loop(run_of(store), problem_id="nowhere")])
    assert store.loops() == []


def test_a_database_of_the_fifth_version_keeps_its_pairs(tmp_path: Path):
    path = tmp_path / "old.db"
    database = Database(path)
    migrations.apply(database, stop_before="m006_loops")
    database.conn.close()
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in (
        "PRAGMA journal_mode = wal",
        "INSERT INTO problems VALUES ('p', 's', 't', 'f', '', '[]', '{}', 'h', '', '{}', 1.0)",
        "INSERT INTO splits VALUES ('p', 'train', 'r')",
        "INSERT INTO rounds VALUES (1, 'done', 1.0, 2.0, 1, '{}', '0')",
        "INSERT INTO stage_runs (id, round_id, stage, attempt, status, started_at) "
        "VALUES (1, 1, 'critic', 1, 'done', 1.0)",
        *(
            "INSERT INTO samples VALUES "
            f"({n}, 'p', 'g', 'v', '{{}}', 'x', {n}, 0, 'c', 'c{n}', 'h{n}', 1, NULL, 'stop', 1, 1)"
            for n in (1, 2, 3)
        ),
        "INSERT INTO repair_pairs VALUES (1, 'p', 1, 2, 0.9, 1.0)",
    ):
        connection.execute(statement)
    connection.close()
    with Store.open(path) as store:
        (old,) = store.repair_pairs()
        assert (old.row.span, old.row.change) == (None, "alike")
        new = RepairPairRow("p", 3, 2, 0.8, span=(2, 4), change="infill")
        assert store.add_repair_pairs([new, replace(new, change="rest")]) == 1
        assert replace(store.repair_pairs(after=1)[0].row, id=None) == new
