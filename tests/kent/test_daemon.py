"""The daemon as people use it: started, watched, stopped, killed, started again."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time

import psutil
from box import Box, wait_for

from kent.daemon import pause_after_failures_s
from kent.instance import Holder, lock_path, read_holder
from memory.records import RoundRow


def start(box: Box, *arguments: str) -> int:
    box.ok("daemon", "start", *arguments)
    holder = read_holder(box.state)
    assert holder is not None
    assert holder.ready_at
    return holder.pid


def ended(process: psutil.Process) -> bool:
    """Dead, whether or not whoever inherited it has reaped it yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def working(box: Box, units: int = 2) -> dict:
    """The status once the stage has done some units."""
    return wait_for(
        lambda: (s := box.status()) and s["stage"] and s["stage"]["done"] >= units and s
    )


def test_a_daemon_is_started_watched_and_stopped(box: Box) -> None:
    box.plan(units=400, pause_s=0.05)
    said = box.ok("daemon", "start")
    pid = read_holder(box.state).pid
    assert f"pid {pid}" in said
    assert "kent daemon status" in said
    assert os.getsid(pid) == pid  # a session of its own: it outlives the terminal
    document = working(box, 10)
    assert (document["state"], document["pid"], document["round"]["id"]) == ("running", pid, 1)
    stage = document["stage"]
    assert (stage["name"], stage["phase"], stage["total"]) == ("TinyStage", "work", 400)
    paced = wait_for(lambda: (s := box.status()["stage"]) and s["rate"] and s)
    assert 2 < paced["rate"] < 25
    assert paced["eta_s"] > 5
    assert stage["heartbeat_age_s"] < 2
    assert document["disk"]["used_bytes"] > 0
    words = box.ok("daemon", "status")
    assert f"pid {pid}" in words
    assert "left" in words
    began = time.monotonic()
    assert f"stopped pid {pid}" in box.ok("daemon", "stop")
    assert time.monotonic() - began < 10
    after = box.status()
    assert (after["state"], after["pid"], after["stage"]["status"]) == ("stopped", None, "stopped")
    assert box.processes() == []
    assert "no daemon runs" in box.ok("daemon", "stop")
    assert "round 1" in box.ok("daemon", "logs")
    assert "attempt 1" in box.ok("daemon", "logs", "--stage", "TinyStage", "-n", "1")


def test_a_second_daemon_is_told_who_is_there(box: Box) -> None:
    box.plan(units=400, pause_s=0.05)
    pid = start(box)
    for arguments in (["daemon", "start"], ["daemon", "start", "--foreground"], ["round"]):
        done = box.kent(*arguments)
        assert done.returncode == 1
        assert f"pid {pid}" in done.stderr
    assert box.status()["pid"] == pid


def test_rounds_end_the_daemon_and_status_says_how(box: Box) -> None:
    box.plan(units=2)
    file = box.folder / "kent.toml"
    box.write(file.read_text().replace("interval_minutes = 0", "interval_minutes = 0.01"))
    start(box, "--rounds", "2")
    document = wait_for(lambda: (s := box.status())["state"] == "stopped" and s)
    assert document["rounds"] == {"done": 2}
    assert document["ended"]["reason"] == "stopped"


def test_a_failed_round_in_the_foreground_exits_1(box: Box) -> None:
    box.plan(attempts=["error"])
    done = box.kent("daemon", "start", "--foreground", "--rounds", "1")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "the weights are gone: fetch them" in done.stderr
    assert "the weights are gone" in box.status()["last_error"]["message"]


def test_stop_now_does_not_wait_for_the_unit(box: Box) -> None:
    box.plan(units=3, pause_s=60)
    start(box)
    wait_for(lambda: box.notes("start"))
    began = time.monotonic()
    box.ok("daemon", "stop", "--now")
    assert time.monotonic() - began < 5
    assert box.status()["stage"]["status"] == "stopped"
    assert box.processes() == []


def test_an_idle_daemon_says_when_it_is_due_and_stops_quickly(box: Box) -> None:
    file = box.folder / "kent.toml"
    box.write(file.read_text().replace("interval_minutes = 0", "interval_minutes = 60"))
    pid = start(box)
    document = wait_for(lambda: (s := box.status())["next_due_at"] and s)
    assert 3500 < document["next_due_at"] - time.time() < 3601
    assert "next round in" in box.ok("daemon", "status")
    process = psutil.Process(pid)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    wait_for(lambda: ended(process))
    assert time.monotonic() - began < 5
    start(box)  # the next one waits too: the last round's end is in the store
    time.sleep(0.5)
    assert box.status()["rounds"] == {"done": 1}


def test_a_killed_daemon_takes_its_stage_along_and_the_next_goes_on(box: Box) -> None:
    box.plan(units=30, pause_s=0.05)
    pid = start(box, "--rounds", "1")
    stage_pid = working(box)["stage"]["pid"]
    stage = psutil.Process(stage_pid)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: ended(stage), 5)
    document = box.status()
    assert document["state"] == "crashed"
    assert (document["round"]["status"], document["stage"]["status"]) == ("cut", "cut")
    assert "crashed" in box.ok("daemon", "status")
    start(box, "--rounds", "1")
    wait_for(lambda: box.status()["state"] == "stopped")
    with box.store() as store:
        [row] = store.rounds()
        assert row.status == "done"
        assert [run.status for run in store.stage_runs(row.id)] == ["killed", "done"]
    units = box.notes("unit")
    # The kill may have come between a unit's commit and its note.
    assert 29 <= len(set(units)) <= 30


def test_a_stale_lock_that_names_somebody_else_is_recognised(box: Box) -> None:
    path = lock_path(box.state)
    path.parent.mkdir()
    stale = Holder(os.getpid(), 1000.0, "daemon", since=1000.0, ready_at=1001.0)
    path.write_text(json.dumps(stale.__dict__))
    assert box.status()["state"] == "crashed"
    assert start(box, "--rounds", "1") != os.getpid()


def test_a_broken_lock_file_hinders_nobody(box: Box) -> None:
    path = lock_path(box.state)
    path.parent.mkdir()
    path.write_text("{")
    assert box.status()["state"] == "stopped"
    start(box, "--rounds", "1")


def test_restart_goes_on_where_it_was(box: Box) -> None:
    box.plan(units=30, pause_s=0.05)
    first = start(box)
    working(box)
    said = box.ok("daemon", "restart", "--rounds", "1")
    assert f"stopped pid {first}" in said
    wait_for(lambda: box.status()["state"] == "stopped")
    assert len(box.notes("unit")) == len(set(box.notes("unit"))) == 30


def test_start_gives_the_reason_why_it_failed(box: Box) -> None:
    (box.state / "kent.db").write_text("not a database, for sure " * 100)
    done = box.kent("daemon", "start")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "not a database" in done.stderr
    assert "not a database" in box.status()["ended"]["reason"]


def test_a_database_of_a_newer_version_is_left_alone(box: Box) -> None:
    box.store().close()
    with sqlite3.connect(box.state / "kent.db") as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
            "VALUES ('kent', 'm999_later', '2030-01-01')"
        )
    connection.close()
    done = box.kent("daemon", "start")
    assert done.returncode == 1
    assert "newer KENT" in done.stderr


def test_logs_are_followed_as_they_grow(box: Box) -> None:
    box.plan(units=2)
    box.ok("round")
    reader = subprocess.Popen(
        [sys.executable, "-m", "kent", "daemon", "logs", "-f", "-n", "1"], cwd=box.folder,
        env=box.env, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert "round 1 done" in reader.stdout.readline()
        box.ok("round")
        lines = [reader.stdout.readline() for _ in range(4)]
        assert "round 2 done" in lines[-1]
    finally:
        reader.kill()
        reader.wait()
        reader.stdout.close()


def test_a_failing_round_is_not_repeated_at_full_speed() -> None:
    def rounds(*words: str) -> list[RoundRow]:
        return [RoundRow(n, word, 0, 1, 0, {}, "") for n, word in enumerate(words)]

    assert pause_after_failures_s(rounds("failed", "done")) == 0
    assert pause_after_failures_s(rounds("done", "failed")) == 60
    assert pause_after_failures_s(rounds("failed", "failed", "failed")) == 240
    assert pause_after_failures_s(rounds(*["failed"] * 50)) == 3600
