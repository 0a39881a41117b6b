"""A store of every earlier version, with rows in every table it had, becomes one of today."""

import sqlite3
from pathlib import Path

import pytest
from sqlite_utils import Database
from store_rows import sha

from memory.maintenance import verify
from memory.schema import migrations
from memory.store import Store
from memory.upgrade import known_migrations

CODE = "def f(x):\n    return x\n"
WEIGHTS = "weights of critic-0001"
# (the migration that made the table, the table, its columns, two rows or one)
ROWS = [
    (1, "problems", "id, source, statement, entry_point, stub, visible_tests, tests, tests_hash, "
     "reference, metadata, imported_at",
     "('p', 's', 'do', 'f', '', '[]', '{}', 'h', '', '{}', 1.0), "
     "('v', 's', 'do', 'f', '', '[]', '{}', 'i', '', '{}', 1.0)"),
    (1, "splits", "problem_id, split, rule", "('p', 'train', 'r'), ('v', 'validation', 'r')"),
    (1, "rounds", "id, status, started_at, finished_at, seed, config, code_version",
     "(1, 'done', 1.0, 2.0, 1, '{}', '0'), (2, 'running', 3.0, NULL, 2, '{}', '0')"),
    (1, "stage_runs", "id, round_id, stage, attempt, status, started_at",
     "(1, 1, 'critic', 1, 'done', 1.0), (2, 2, 'critic', 1, 'running', 3.0)"),
    (1, "samples", "id, problem_id, generator_id, protocol, params, params_hash, idx, seed, "
     "completion, code, program_hash, tokens, logprob, finish_reason, stage_run_id, created_at",
     f"(1, 'p', 'g', 'v1', '{{}}', 'h', 0, 1, 'c', '{CODE}', '{sha(CODE)}', 9, -1.5, '', 1, 1), "
     f"(2, 'p', 'g', 'v1', '{{}}', 'h', 1, 1, 'c', '{CODE}', '{sha(CODE)}', 9, NULL, '', 1, 1)"),
    (1, "verdicts", "id, program_hash, tests_hash, sandbox_version, sandbox_level, verdict, "
     "failure, cpu_s, wall_s, peak_memory_mb, output_head, output_tail, stage_run_id, created_at",
     f"(1, '{sha(CODE)}', 'h', '1', 'A', 'passed', NULL, 0.1, 0.2, 9.0, '', '', 1, 1.0)"),
    (1, "models", "id, kind, version, parent, config, status, generator_id, checkpoint, sha256, "
     "code_version, stage_run_id, created_at",
     f"('critic-0001', 'critic', 1, NULL, '{{}}', 'champion', 'g', 'checkpoints/c', "
     f"'{sha(WEIGHTS)}', '0', 1, 1.0), "
     "('critic-0002', 'critic', 2, 'critic-0001', '{}', 'rejected', 'g', NULL, NULL, '0', 2, 3.0)"),
    (1, "training_examples", "model_id, sample_id, verdict_id", "('critic-0001', 1, 1)"),
    (1, "evaluations", "id, stage_run_id, model_id, problem_set, split, protocol, metric, value, "
     "low, high, n, created_at",
     "(1, 1, 'critic-0001', 's', 'test', 'v1', 'm', 0.5, NULL, 0.6, 9, 1.0)"),
    (1, "promotions", "id, stage_run_id, kind, candidate, champion, decision, effect, low, high, "
     "p_value, alpha, looks, n, reason, created_at",
     "(7, 1, 'critic', 'critic-0001', NULL, 'promoted', 0.1, NULL, 0.2, 0.01, 0.05, 1, 9, 'b', 1)"),
    (1, "events", "id, at, level, kind, message, round_id, stage_run_id, data",
     "(1, 1.0, 'info', 'test', 'said', 1, 1, '{}')"),
    (1, "processes", "pid, pid_start, role, command, registered_at",
     "(5, 1.0, 'engine', 'c', 1.0)"),
    (2, "limits", "tests_hash, sandbox_version, sandbox_level, cpu_s, wall_s, memory_mb",
     "('h', '1', 'A', 1.0, 5.0, 512)"),
    (3, "agreement_inputs", "problem_id, inputs_hash, origin, inputs, generator_id, seed, "
     "created_at", "('p', 'i', 'visible', '[]', NULL, 0, 1.0)"),
    (3, "behaviours", "program_hash, inputs_hash, sandbox_version, sandbox_level, outcomes",
     "('x', 'i', '1', 'A', '[]')"),
    (4, "promotions", "id, kind, candidate, champion, decision, actor, looks, n, reason, "
     "created_at", "(9, 'critic', 'critic-0001', NULL, 'rolled_back', 'hand', 0, 0, 'y', 4.0)"),
    (5, "swe_tasks", "id, source, repo, base_commit, base_date, issue, split, rule, trees, body, "
     "imported_at", "('t', 's', 'r', 'c', 1.0, 'i', 'train', 'r', NULL, x'00', 1.0)"),
    (5, "repair_pairs", "id, problem_id, broken_sample, fixed_sample, similarity, created_at",
     "(1, 'p', 1, 2, 0.9, 1.0)"),
    (5, "patterns", "id, key, operation, abstraction, created_at", "(1, 'k', 'o', 'a', 1.0)"),
    (5, "pattern_evidence", "id, pattern_id, task_id, pair_id, context, details, stage_run_id, "
     "created_at", "(1, 1, 't', NULL, NULL, '{}', 1, 1.0), (2, 1, NULL, 1, NULL, '{}', 1, 1.0)"),
    (5, "memories", "name, dimensions, seed, created_at", "('m', 64, 1, 1.0)"),
    (5, "fact_labels", "memory, value_index, label", "('m', 0, 'l')"),
    (5, "facts", "id, memory, value_index, key, key_hash, task_id, problem_id, stage_run_id, "
     "created_at", "(1, 'm', 0, x'0102030405060708', "
     "'66840dda154e8a113c31dd0ad32f7f3a366a80e8136979d8f5a101d3d29d6f72', 't', NULL, 1, 1.0)"),
    (5, "memory_versions", "memory, version, checkpoint, sha256, last_fact, stage_run_id, "
     "created_at", f"('m', 1, 'checkpoints/c', '{sha(WEIGHTS)}', 1, 1, 1.0)"),
    (5, "constraints", "id, context, operation, file_role, operator, partial_score, task_id, "
     "problem_id, stage_run_id, created_at", "(1, 'c', 'o', 'f', '+', 0.5, 't', NULL, 1, 1.0)"),
    (5, "observations", "id, context, pattern, success, task_id, problem_id, stage_run_id, "
     "created_at", "(1, 'c', 'p', 1, NULL, 'p', 1, 1.0)"),
    (5, "repairs", "id, task_id, mode, outcome, candidates, patch, evidence, confidence, seconds, "
     "model_id, stage_run_id, created_at",
     "(1, 't', 'm', 'resolved', 3, 'd', '{}', NULL, 1.0, 'critic-0001', 1, 1.0)"),
    (5, "training_tasks", "model_id, task_id", "('critic-0001', 't')"),
    (6, "repair_loops", "id, domain, mode, task, problem_id, outcome, right, tokens, seconds, "
     "program, trace, generator_id, model_id, stage_run_id, created_at",
     "(1, 'd', 'training', 't', 'p', 'first', 1, 9, 1.0, 'x', '[]', NULL, NULL, 1, 1.0)"),
    (6, "pair_changes", "pair_id, first_line, last_line, change", "(1, 1, 2, 'c')"),
    (7, "promotions", "id, kind, candidate, champion, decision, actor, looks, n, reason, "
     "created_at", "(11, 'critic', 'critic-0001', NULL, 'rolled_back', 'daemon', 0, 0, 'd', 5.0)"),
    (8, "resource_use", "stage_run_id, wall_s, cpu_s, peak_memory_mb, card, card_busy_s, "
     "card_peak_memory_mb, card_energy_j, created_at",
     "(1, 9.0, 8.0, 512.0, NULL, NULL, NULL, NULL, 1.0), "
     "(2, 9.0, 8.0, NULL, 'H200', 4.5, 2048.0, 900.0, 1.0)"),
]  # fmt: skip
VERSIONS = range(1, len(known_migrations()) + 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_keeps_its_rows_and_is_clean_after_the_upgrade(tmp_path: Path, version: int):
    before = made_by(version, tmp_path / "kent.db")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "c").write_text(WEIGHTS)
    with Store.open(tmp_path / "kent.db") as store:
        applied = store.query("SELECT name FROM _sqlite_migrations ORDER BY id")
        assert [row["name"] for row in applied] == known_migrations()
        for table, rows in before.items():
            columns = ", ".join(rows[0])
            order = ", ".join(str(number + 1) for number in range(len(rows[0])))
            assert store.query(f"SELECT {columns} FROM {table} ORDER BY {order}") == rows, table
        assert store.champion("critic").id == "critic-0001"
        assert store.open_round(seed=9, config={}, code_version="1").id == 2
    assert verify(tmp_path) == []


def test_every_table_of_today_has_rows_in_this_test(tmp_path: Path):
    filled = made_by(VERSIONS[-1], tmp_path / "kent.db")
    with Store.open(tmp_path / "kent.db") as store:
        named = store.query("SELECT name FROM sqlite_master WHERE type = 'table'")
    assert {row["name"] for row in named} - set(filled) == {"_sqlite_migrations"}


def made_by(version: int, path: Path) -> dict[str, list[dict]]:
    """A store as that version left it; its rows by table, with the columns that they had."""
    database = Database(path)
    later = known_migrations()[version:]
    migrations.apply(database, stop_before=later[0] if later else None)
    database.conn.close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("PRAGMA foreign_keys = ON")
    tables = []
    for since, table, columns, values in ROWS:
        if since <= version:
            connection.execute(f"INSERT INTO {table} ({columns}) VALUES {values}")
            tables.append(table)
    found = {}
    for table in dict.fromkeys(tables):
        width = len(connection.execute(f"SELECT * FROM {table} LIMIT 1").fetchone())
        order = ", ".join(str(number + 1) for number in range(width))
        rows = connection.execute(f"SELECT * FROM {table} ORDER BY {order}").fetchall()
        found[table] = [dict(row) for row in rows]
    connection.close()
    return found
