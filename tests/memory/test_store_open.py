"""Opening: migrations, a newer or foreign database, read-only, locks, and places that refuse."""

import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlite_utils import Database, Migrations
from store_rows import RECIPE, SANDBOX, add_labelled, sample

from memory.errors import StoreError, StoreUnavailable, StoreVersionError
from memory.records import AgreementInputsRow, BehaviourRow, LimitsRow
from memory.schema import migrations
from memory.store import Store
from memory.upgrade import known_migrations


def test_a_new_store_has_every_migration_and_opening_again_adds_none(tmp_path: Path):
    path = tmp_path / "deep" / "state" / "kent.db"
    for _ in range(2):
        with Store.open(path) as store:
            applied = store.query("SELECT name FROM _sqlite_migrations ORDER BY id")
            assert [row["name"] for row in applied] == known_migrations()
            assert store.query("PRAGMA journal_mode") == [{"journal_mode": "wal"}]


def test_a_migration_that_fails_leaves_the_tables_as_they_were(tmp_path: Path):
    later = Migrations("kent")

    @later()
    def m002_broken(db: Database) -> None:
        db.execute("DROP TABLE events")
        db.execute("CREATE TABLE events (broken")

    path = tmp_path / "kent.db"
    Store.open(path).close()
    database = Database(path)
    with pytest.raises(sqlite3.OperationalError):
        later.apply(database)
    database.conn.close()
    with Store.open(path) as store:
        store.event("test", "the table is still there")


def test_the_database_of_a_newer_kent_is_refused_and_left_alone(tmp_path: Path):
    path = tmp_path / "kent.db"
    Store.open(path).close()
    plant(path, "INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('kent', 'm999_new')")
    before = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(StoreVersionError, match=r"newer KENT \(it has m999_new\); update"):
            Store.open(path, read_only=read_only)
    assert path.read_bytes() == before


def test_a_database_that_is_not_kents_is_refused_and_left_alone(tmp_path: Path):
    path = tmp_path / "other.db"
    plant(path, "CREATE TABLE people (name)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not a database of KENT"):
        Store.open(path)
    assert path.read_bytes() == before


def test_what_is_no_database_is_refused_in_one_line(tmp_path: Path):
    (tmp_path / "kent.db").write_text("no database, but longer than a header of one" * 50)
    with pytest.raises(StoreError, match=r"not a database.*name another file") as caught:
        Store.open(tmp_path / "kent.db")
    assert "\n" not in str(caught.value)
    with pytest.raises(StoreError, match="not a file"):
        Store.open(tmp_path)


def test_an_absent_database_is_made_only_when_asked_for(tmp_path: Path):
    path = tmp_path / "kent.db"
    for how in ({"create": False}, {"read_only": True}):
        with pytest.raises(StoreError, match=r"does not exist; `kent daemon start`"):
            Store.open(path, **how)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_as_a_cut_first_start_leaves_it_is_filled(tmp_path: Path):
    path = tmp_path / "kent.db"
    path.touch()
    with pytest.raises(StoreError, match="not a database of KENT"):
        Store.open(path, read_only=True)
    with Store.open(path) as store:
        assert store.problems() == []


def test_read_only_reads_and_cannot_write(store: Store):
    rows = add_labelled(store, "p/train")
    with Store.open(store.path, read_only=True) as reader:
        assert reader.labelled(**RECIPE, **SANDBOX) == rows
        with pytest.raises(StoreError, match=r"readonly.*reading only"):
            reader.add_samples([sample(idx=9)])
        with pytest.raises(StoreError, match="readonly"):
            reader.event("test", "not written")


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM splits",
        "INSERT INTO events (at, level, kind, message, data) VALUES (0, '', '', '', '')",
        "DROP TRIGGER guard_training_examples",
        "SELECT 1; DELETE FROM samples",
    ],
)
def test_query_is_refused_every_statement_that_would_write(store: Store, sql: str):
    add_labelled(store, "p/train")
    with pytest.raises(StoreError):
        store.query(sql)
    assert store.query("SELECT count(*) AS n FROM samples") == [{"n": 3}]


def test_query_takes_parameters_by_place_and_by_name(store: Store):
    assert store.query("SELECT ? AS a, ? AS b", (1, "x")) == [{"a": 1, "b": "x"}]
    assert store.query("SELECT :a AS a", {"a": None}) == [{"a": None}]
    with pytest.raises(StoreError, match="no such table: none"):
        store.query("SELECT * FROM none")


def test_a_lock_that_is_held_too_long_is_told_and_nothing_is_half_written(store: Store):
    holder = sqlite3.connect(store.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with Store.open(store.path, busy_timeout_s=0.2) as waiting:
        with pytest.raises(StoreUnavailable, match=r"locked.*kent daemon status"):
            waiting.add_samples([sample()])
        assert waiting.labelled(**RECIPE, **SANDBOX) == []  # readers do not wait
        holder.execute("COMMIT")
        assert waiting.add_samples([sample()]) == 1
    holder.close()


def test_a_closed_store_says_so(store: Store):
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.rounds()


def test_a_thread_that_ends_gives_its_connection_back(store: Store):
    def open_files() -> int:
        links = (link for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
        return sum(str(store.path) in str(link.readlink()) for link in links)

    if not Path("/proc/self/fd").exists():
        pytest.skip("counts open files in /proc, which this system has not")
    for _ in range(20):
        thread = threading.Thread(target=store.rounds)
        thread.start()
        thread.join()
    assert open_files() < 10


FULL_DISK = """
from pathlib import Path
from memory.errors import StoreUnavailable
from memory.files import write_atomically
from memory.maintenance import backup, verify
from memory.store import Store
store = Store.open(Path("state/kent.db"))
try:
    for number in range(10_000):
        store.event("test", "x" * 10_000)
except StoreUnavailable as error:
    print(error)
kept = len(store.events(limit=100_000))
try:
    write_atomically(Path("state/checkpoints/c"), bytes(8_000_000))
except StoreUnavailable as error:
    print(error)
try:
    backup(store.path, Path("state/backup.db"))
except StoreUnavailable as error:
    print(error)
assert kept == number > 0, (kept, number)
assert verify(Path("state")) == []
assert [path.name for path in Path("state").rglob("*") if ".tmp" in path.name] == []
store.close()
"""


def test_a_full_disk_is_told_and_keeps_all_that_was_committed(tmp_path: Path):
    mount = f"mount -t tmpfs -o size=4m tmpfs {tmp_path}"
    if (
        shutil.which("unshare") is None
        or subprocess.run(
            ["unshare", "-rm", "sh", "-c", mount], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("needs a small file system of its own: unshare and mount are refused here")
    script = f"{mount} && cd {tmp_path} && exec {sys.executable} -c '{FULL_DISK}'"
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3, lines
    assert "disk is full; free space and repeat" in lines[0]
    assert "cannot be written: No space left on device; free space" in lines[1]
    assert "full" in lines[2]


def test_a_place_that_may_not_be_written_is_told(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"cannot be made.*choose another state directory"):
        Store.open(tmp_path / "file" / "state" / "kent.db")


def test_a_database_of_the_first_version_keeps_its_rows(tmp_path: Path):
    path = tmp_path / "kent.db"
    database = Database(path)
    migrations.apply(database, stop_before="m002_limits")
    database.conn.close()
    plant(
        path,
        "PRAGMA journal_mode = wal",
        "INSERT INTO problems VALUES ('p', 's', 't', 'f', '', '[]', '{}', 'h', '', '{}', 1.0)",
        "INSERT INTO splits VALUES ('p', 'train', 'r')",
        "INSERT INTO verdicts VALUES (1, 'x', 'h', '2', 'A', 'passed', NULL, 0, 0, 0, '', '', "
        "NULL, 1.0)",
    )
    with Store.open(path) as store:
        assert [row.id for row in store.problems()] == ["p"]
        assert store.known_verdicts([("x", "h")], "2", "A") == {("x", "h")}
        row = LimitsRow("h", "3", "A", 1.0, 5.0, 512)
        store.add_limits([row])
        store.add_limits([LimitsRow("h", "3", "A", 9.0, 9.0, 9)])
        assert store.limits(["h", "i"], "3", "A") == {"h": row}
        assert store.limits(["h"], "3", "B") == {}


def test_a_database_of_the_second_version_keeps_its_rows(tmp_path: Path):
    path = tmp_path / "kent.db"
    database = Database(path)
    migrations.apply(database, stop_before="m003_agreement")
    database.conn.close()
    plant(
        path,
        "PRAGMA journal_mode = wal",
        "INSERT INTO problems VALUES ('p', 's', 't', 'f', '', '[]', '{}', 'h', '', '{}', 1.0)",
        "INSERT INTO splits VALUES ('p', 'train', 'r')",
        "INSERT INTO limits VALUES ('h', '3', 'A', 1.0, 5.0, 512)",
    )
    with Store.open(path) as store:
        assert [row.id for row in store.problems()] == ["p"]
        assert store.limits(["h"], "3", "A") == {"h": LimitsRow("h", "3", "A", 1.0, 5.0, 512)}
        inputs = AgreementInputsRow("p", "i", "visible", [{"args": [1]}], None, 0)
        store.add_agreement_inputs([inputs])
        store.add_behaviours([BehaviourRow("x", "i", "3", "A", ("d",))])
        assert store.agreement_inputs(["p"]) == {"p": [inputs]}
        assert store.behaviours([("x", "i")], "3", "A") == {("x", "i"): ("d",)}


def test_promotions_of_before_the_hand_keep_their_rows_and_their_keys(tmp_path: Path):
    path = tmp_path / "kent.db"
    database = Database(path)
    migrations.apply(database, stop_before="m004_promotions_by_hand")
    database.conn.close()
    old = "'critic', 'critic-0001', NULL, 'promoted', 0.1, NULL, 0.2, 0.01, 0.05, 1, 90, 'why', 2.0"
    plant(
        path,
        "PRAGMA journal_mode = wal",
        "INSERT INTO rounds VALUES (1, 'done', 1.0, 2.0, 1, '{}', '0')",
        "INSERT INTO stage_runs (id, round_id, stage, attempt, status, started_at) "
        "VALUES (1, 1, 'critic', 1, 'done', 1.0)",
        "INSERT INTO models (id, kind, version, config, status, checkpoint, sha256, code_version, "
        "stage_run_id, created_at) VALUES ('critic-0001', 'critic', 1, '{}', 'champion', "
        "'checkpoints/c', '0', '0', 1, 1.0)",
        "INSERT INTO promotions (id, stage_run_id, kind, candidate, champion, decision, effect, "
        f"low, high, p_value, alpha, looks, n, reason, created_at) VALUES (7, 1, {old})",
    )
    with Store.open(path) as store:
        (row,) = store.query("SELECT * FROM promotions")
        assert (row["id"], row["stage_run_id"], row["effect"], row["low"]) == (7, 1, 0.1, None)
        assert (row["alpha"], row["n"], row["reason"], row["created_at"]) == (0.05, 90, "why", 2.0)
        assert (row["actor"], row["figures"], row["alternative"]) == ("gate", "{}", "{}")
        assert store.champion("critic").stale is None
    for values, refused in (
        ("8, 1, 'critic', 'critic-0001', NULL, 'kept', 'gate'", "UNIQUE"),
        ("8, NULL, 'critic', 'critic-0001', NULL, 'kept', 'gate'", "CHECK"),
        ("8, 1, 'critic', 'critic-0001', NULL, 'perhaps', 'hand'", "CHECK"),
        ("8, NULL, 'critic', 'critic-0009', NULL, 'promoted', 'hand'", "FOREIGN KEY"),
    ):
        with pytest.raises(sqlite3.IntegrityError, match=refused):
            plant(
                path,
                "PRAGMA foreign_keys = ON",
                "INSERT INTO promotions (id, stage_run_id, kind, candidate, champion, decision, "
                f"actor, looks, n, reason, created_at) VALUES ({values}, 0, 0, '', 1.0)",
            )


def test_the_migrations_are_numbered_without_a_gap():
    database = Database(memory=True)
    names = [migration.name for migration in migrations.pending(database)]
    database.conn.close()
    assert [name[:4] for name in names] == [f"m{number:03d}" for number in range(1, len(names) + 1)]


def plant(path: Path, *statements: str) -> None:
    """Change the file behind the store's back."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()
