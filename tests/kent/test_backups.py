"""Backups that rotate by themselves, and a restore that loses neither the old nor the new."""

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from box import Box, wait_for
from champions_state import add_version
from sqlite_utils import Database

from kent.backups import backup_dir, backups, is_due, make_backup
from kent.cli import main
from kent.instance import Instance
from kent.restore import restore
from kent.retention import prune
from kent.service_settings import BackupConfig, RetentionConfig
from memory.maintenance import verify
from memory.schema import migrations
from memory.store import Store

DAY_S = 86_400.0


@pytest.fixture
def state(tmp_path: Path) -> Path:
    with Store.open(tmp_path / "state" / "kent.db") as store:
        add_version(store, "promoted")
        store.event("test", "before the backup")
    return tmp_path / "state"


def test_backups_rotate_and_the_newest_stay(state: Path) -> None:
    now = time.time()
    made = [make_backup(state, 3, now + number) for number in range(5)]
    assert backups(state) == made[2:]
    assert verify_copy(made[-1]) == []


def test_what_a_killed_backup_left_goes_and_one_at_work_is_let_be(state: Path) -> None:
    folder = backup_dir(state)
    folder.mkdir()
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                           capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
    left = folder / f".kent-20200101-000000.db.{ended}-0a1b2c3d.tmp"
    other = folder / f".mine.db.{ended}-0a1b2c3d.tmp"
    at_work = folder / f".kent-20200102-000000.db.{os.getpid()}-0a1b2c3d.tmp"
    for path in (left, left.with_name(f"{left.name}-journal"), at_work, other):
        path.write_bytes(b"half")
    made = make_backup(state, 3)
    assert set(folder.iterdir()) == {made, at_work, other}


def test_a_backup_is_due_after_its_time_and_whatever_the_clock_did(state: Path) -> None:
    rules, now = BackupConfig(every_hours=24), time.time()
    assert is_due(state, rules, now)
    [path] = [make_backup(state, 3)]
    assert not is_due(state, rules, now + DAY_S / 2)
    assert is_due(state, rules, now + 2 * DAY_S)
    assert not is_due(state, BackupConfig(every_hours=0), now + 2 * DAY_S)
    os.utime(path, (now + 100 * DAY_S, now + 100 * DAY_S))  # made before the clock was set back
    assert is_due(state, rules, now)
    late = make_backup(state, 1, now - DAY_S)
    assert backups(state) == [late]


def test_the_daemon_backs_up_by_itself(box: Box) -> None:
    box.ok("round")
    [copy] = backups(box.state)
    assert verify_copy(copy) == []
    box.ok("round")
    assert backups(box.state) == [copy]
    log = box.state / "kent.db-wal"
    assert not log.exists() or log.stat().st_size == 0


def test_a_restore_goes_back_and_keeps_what_was_there(state: Path) -> None:
    copy = make_backup(state, 3)
    with Store.open(state / "kent.db") as store:
        store.event("test", "after the backup")
    done = restore(state, copy)
    assert (done.notes, done.findings) == ([], [])
    assert messages(state / "kent.db")[:1] == ["before the backup"]
    assert "after the backup" not in messages(state / "kent.db")
    assert "after the backup" in messages(done.kept)
    assert verify(state) == []


def test_a_restore_keeps_the_log_of_a_database_whose_owner_was_killed(state: Path) -> None:
    copy = make_backup(state, 3)
    store = Store.open(state / "kent.db")
    store.event("test", "only in the log")
    assert (state / "kent.db-wal").stat().st_size > 0
    done = restore(state, copy)  # the other connection is still open, as after SIGKILL of nobody
    store.close()
    assert "only in the log" in messages(done.kept)
    assert "only in the log" not in messages(state / "kent.db")


def test_a_restore_gives_up_what_was_pruned_since(state: Path) -> None:
    with Store.open(state / "kent.db") as store:
        for decision in ("kept", "kept"):
            add_version(store, decision)
    copy = make_backup(state, 3)
    with Store.open(state / "kent.db") as store:
        for decision in ("promoted", "promoted", "kept"):
            add_version(store, decision)
        prune(store, RetentionConfig(candidates=1))
    done = restore(state, copy)
    assert any("none is left" in note for note in done.notes)
    assert done.findings == []
    with Store.open(state / "kent.db") as store:
        assert store.champion("critic") is None


def test_a_restore_is_refused_while_the_state_is_held(state: Path, capsys) -> None:
    copy = make_backup(state, 3)
    with Instance(state, "daemon"):
        assert main(["--state", str(state), "state", "restore", str(copy)]) == 1
    assert "is held by a daemon" in capsys.readouterr().err
    assert main(["--state", str(state), "state", "restore", str(copy)]) == 0
    assert "what was there is" in capsys.readouterr().err


def test_a_restore_refuses_what_is_no_sound_backup(state: Path, tmp_path: Path, capsys) -> None:
    copy = make_backup(state, 3)
    broken, other = tmp_path / "broken.db", tmp_path / "other.db"
    content = bytearray(copy.read_bytes())
    content[4096 * 4 : 4096 * 6] = b"\xff" * 4096 * 2
    broken.write_bytes(content)
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE people (name)")
    connection.close()
    newer = make_backup(state, 9, time.time() + 5)
    with sqlite3.connect(newer) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('kent', 'm999_new')"
        )
    connection.close()
    before = messages(state / "kent.db")
    for file, said in ((broken, "not a sound"), (other, "not a database of KENT"),
                       (newer, "newer KENT")):  # fmt: skip
        assert main(["--state", str(state), "state", "restore", str(file)]) == 1
        assert said in capsys.readouterr().err
    assert messages(state / "kent.db") == before
    assert not list(state.glob("*before-restore*"))


def test_a_backup_of_an_older_version_is_upgraded(tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    database = Database(old)
    migrations.apply(database, stop_before="m004_promotions_by_hand")
    database.execute("INSERT INTO events (at, level, kind, message, data) VALUES "
                     "(1.0, 'info', 'test', 'of old', '{}')")  # fmt: skip
    database.conn.commit()
    database.conn.close()
    done = restore(tmp_path / "state", old)
    assert (done.kept, done.findings) == (None, [])
    assert "of old" in messages(tmp_path / "state" / "kent.db")


def test_a_pause_holds_the_daemon_and_a_resume_lets_it_go_on(box: Box) -> None:
    box.plan(units=60, pause_s=0.05)
    box.ok("daemon", "start", "--rounds", "1")
    wait_for(lambda: (s := box.status()) and s["stage"] and s["stage"]["done"] >= 2)
    assert "pausing" in box.ok("daemon", "pause")
    held = wait_for(lambda: (s := box.status()) and s["waiting"] and s)
    assert held["stage"]["status"] == "stopped"
    words = box.ok("daemon", "status")
    assert "paused" in words
    assert "next: `kent daemon resume`; then the end of round 1" in words
    box.ok("daemon", "stop")
    box.ok("daemon", "start", "--rounds", "1")  # a pause outlives a restart
    wait_for(lambda: box.status()["waiting"])
    assert "resumed" in box.ok("daemon", "resume")
    wait_for(lambda: box.status()["state"] == "stopped")
    assert len(box.notes("unit")) == len(set(box.notes("unit"))) == 60
    assert "there was no pause" in box.ok("daemon", "resume")


def verify_copy(path: Path) -> list[str]:
    from memory.maintenance import verify_file

    return verify_file(path)


def messages(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT message FROM events WHERE kind = 'test' ORDER BY id")
        found = [row[0] for row in rows]
    connection.close()
    return found
