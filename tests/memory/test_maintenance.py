"""Verify names each planted defect and nothing else; a backup is whole, also while others write."""

import sqlite3
import threading
from pathlib import Path

import pytest
from repair_rows import add_tasks, fact, open_memory
from store_rows import RECIPE, SANDBOX, add_candidate, add_labelled, pairs, promote, sample, sha

from memory.errors import StoreError
from memory.maintenance import backup, verify
from memory.store import Store


@pytest.fixture
def state(store: Store) -> Path:
    """A state directory with some of everything, closed."""
    rows = add_labelled(store, "p/train")
    add_labelled(store, "p/test")
    for number in range(2):
        model = add_candidate(store, config={"number": number})
        store.add_training_examples(model.id, pairs(rows))
        promote(store, model)
    add_tasks(store)
    open_memory(store)
    store.add_facts([fact(), fact("of a problem", problem_id="p/train")])
    weights = Path("checkpoints/memory.safetensors")
    (store.path.parent / weights).write_text("weights")
    given = {"last_fact": 2, "stage_run_id": None}
    store.add_memory_version("patterns", weights, sha("weights"), **given)
    store.close()
    return store.path.parent


DEFECTS = {
    "trigger guard_training_examples is missing": ["DROP TRIGGER guard_training_examples"],
    "trigger guard_splits_delete was changed": [
        "DROP TRIGGER guard_splits_delete",
        "CREATE TRIGGER guard_splits_delete BEFORE DELETE ON splits BEGIN SELECT 1; END",
    ],
    "index samples_program is missing": ["DROP INDEX samples_program"],
    "split guard: model critic-0001 was trained on sample 4 of p/test, which is test": [
        "DROP TRIGGER guard_training_examples",
        "INSERT INTO training_examples VALUES ('critic-0001', 4, 4)",
    ],
    "of p/train, which is test": [
        "DROP TRIGGER guard_splits_update",
        "UPDATE splits SET split = 'test' WHERE problem_id = 'p/train'",
    ],
    "of p/train, which is in no split": [
        "DROP TRIGGER guard_splits_delete",
        "DELETE FROM splits WHERE problem_id = 'p/train'",
    ],
    "problem p/val is in no split": [
        "DROP TRIGGER guard_splits_delete",
        "DELETE FROM splits WHERE problem_id = 'p/val'",
    ],
    "model critic-0002: the verdict 2 is not on sample 1": [
        "DROP TRIGGER guard_training_examples_update",
        "UPDATE training_examples SET verdict_id = 2 "
        "WHERE sample_id = 1 AND model_id = 'critic-0002'",
    ],
    "row 1 of samples refers to a missing row of problems": [
        "DROP TRIGGER guard_samples_update",
        "UPDATE samples SET problem_id = 'p/gone' WHERE id = 1",
    ],
    "sample 2: its code is not what its program_hash says": [
        "DROP TRIGGER guard_samples_update",
        "UPDATE samples SET code = code || ' ' WHERE id = 2",
    ],
    "split guard: row 1 of facts was learned from t/train, which is test": [
        "DROP TRIGGER guard_swe_tasks_update",
        "UPDATE swe_tasks SET split = 'test' WHERE id = 't/train'",
    ],
    "split guard: row 2 of facts was learned from p/train, which is test": [
        "DROP TRIGGER guard_splits_update",
        "UPDATE splits SET split = 'test' WHERE problem_id = 'p/train'",
    ],
    "split guard: row 3 of observations was learned from t/val, which is validation": [
        "DROP TRIGGER guard_observations",
        "INSERT INTO observations VALUES (3, 'c', 'p', 1, 't/val', NULL, NULL, 0)",
    ],
    "split guard: model critic-0001 was trained on task t/test, which is test": [
        "DROP TRIGGER guard_training_tasks",
        "INSERT INTO training_tasks VALUES ('critic-0001', 't/test')",
    ],
    "split guard: repair pair 7 is of p/test, which is test": [
        "DROP TRIGGER guard_repair_pairs",
        "INSERT INTO repair_pairs VALUES (7, 'p/test', 4, 5, 0.9, 0)",
    ],
    "fact 1: its key is not what its key_hash says": [
        "DROP TRIGGER guard_facts_update",
        "UPDATE facts SET key = zeroblob(24) WHERE id = 1",
    ],
    "memory patterns: ": ["UPDATE memory_versions SET sha256 = 'another'"],
    "integrity: CHECK constraint failed in verdicts": [
        "PRAGMA ignore_check_constraints=ON",
        "UPDATE verdicts SET verdict = 'not_judged' WHERE id = 6",
    ],
    "2 models of kind critic are champion": [
        "DROP INDEX one_champion",
        "UPDATE models SET status = 'champion'",
    ],
    "model critic-0002 is champion and has no checkpoint": [
        "UPDATE models SET checkpoint = NULL WHERE status = 'champion'"
    ],
}
# Tables whose unique key was taken away, as an SQLite tool may do when it copies one.
UNKEYED = {
    "2 samples have the key p/train, gen, visible1/v1, h, 0": "samples",
    "2 verdicts have the key": "verdicts",
}


def test_a_sound_state_is_clean_also_while_it_is_in_use(state: Path):
    assert verify(state) == []
    with Store.open(state / "kent.db") as store:
        store.add_samples([sample(idx=9)])
        assert verify(state) == []


@pytest.mark.parametrize("finding", DEFECTS)
def test_verify_names_the_defect(state: Path, finding: str):
    change(state, *DEFECTS[finding])
    assert any(finding in line for line in verify(state)), verify(state)


@pytest.mark.parametrize("finding", UNKEYED)
def test_verify_names_doubled_keys(state: Path, finding: str):
    table = UNKEYED[finding]
    change(
        state,
        "PRAGMA legacy_alter_table=ON",
        f"CREATE TABLE copy AS SELECT * FROM {table}",
        f"INSERT INTO copy SELECT * FROM {table} WHERE id = 1",
        "UPDATE copy SET id = rowid",
        f"DROP TABLE {table}",
        f"ALTER TABLE copy RENAME TO {table}",
    )
    assert any(finding in line for line in verify(state)), verify(state)


def test_verify_names_broken_pages(state: Path):
    path = state / "kent.db"
    content = bytearray(path.read_bytes())
    content[4096 * 4 : 4096 * 6] = b"\xff" * 4096 * 2
    path.write_bytes(content)
    assert any("integrity" in line or "malformed" in line for line in verify(state))


def test_verify_names_checkpoints_that_are_missing_or_changed(state: Path):
    (state / "checkpoints" / "critic-0001.safetensors").unlink()
    (state / "checkpoints" / "critic-0002.safetensors").write_text("other weights")
    missing, changed = verify(state)
    assert "critic-0001.safetensors is missing" in missing
    assert "critic-0002.safetensors is not what its SHA-256 says" in changed


def test_verify_says_where_there_is_no_database(tmp_path: Path):
    (line,) = verify(tmp_path)
    assert "does not exist" in line


def test_a_backup_made_while_others_write_is_one_moment_of_the_store(store: Store):
    stop = threading.Event()

    def write() -> None:
        batch = 0
        while not stop.is_set():
            store.add_samples([sample(idx=batch * 50 + number) for number in range(50)])
            batch += 1

    thread = threading.Thread(target=write)
    thread.start()
    counts = []
    for number in range(5):
        target = store.path.parent / "backups" / str(number) / "kent.db"
        backup(store.path, target)
        assert [path.name for path in target.parent.iterdir()] == ["kent.db"]
        assert verify(target.parent) == []
        with Store.open(target, read_only=True) as copy:
            counts.append(
                len(copy.sample_indexes(["p/train"], "gen", "visible1/v1", "h")["p/train"])
            )
    stop.set()
    thread.join()
    assert all(count % 50 == 0 for count in counts)
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


def test_a_backup_can_take_the_place_of_the_store(state: Path, tmp_path: Path):
    target = tmp_path / "restored" / "kent.db"
    backup(state / "kent.db", target)
    with Store.open(target) as restored, Store.open(state / "kent.db") as store:
        assert restored.labelled(**RECIPE, **SANDBOX) == store.labelled(**RECIPE, **SANDBOX)
        restored.event("test", "it can be written")


def test_a_backup_overwrites_nothing_and_needs_a_store(state: Path, tmp_path: Path):
    target = tmp_path / "there"
    target.write_text("precious")
    with pytest.raises(StoreError, match="exists and is not overwritten; name another file"):
        backup(state / "kent.db", target)
    assert target.read_text() == "precious"
    with pytest.raises(StoreError, match="does not exist"):
        backup(tmp_path / "none.db", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def change(state: Path, *statements: str) -> None:
    """Do to the file what no way through KENT does."""
    connection = sqlite3.connect(state / "kent.db", isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()
