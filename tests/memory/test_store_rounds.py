"""Rounds, stage runs, events and processes: what a daemon finds of its earlier life."""

import time

import pytest

from memory.errors import StoreError
from memory.store import Store


def test_a_round_that_was_cut_is_found_as_it_was_begun(store: Store):
    cut = store.current_round()
    assert store.open_round(seed=9, config={"profile": "gpu"}, code_version="9") == cut
    assert (cut.seed, cut.config, cut.status) == (1, {"profile": "cpu"}, "running")
    store.close_round(cut.id, "done")
    store.close_round(cut.id, "failed")
    assert store.current_round() is None
    new = store.open_round(seed=2, config={}, code_version="1")
    assert [row.status for row in store.rounds()] == ["done", "running"]
    assert new.id > cut.id


def test_attempts_count_up_for_each_stage(store: Store):
    runs = [store.begin_stage_run(1, name, pid=7, pid_start=8.5) for name in ("critic", "ctm")]
    assert [(row.stage, row.attempt, row.pid) for row in runs] == [("critic", 2, 7), ("ctm", 1, 7)]
    assert [row.id for row in store.stage_runs(1)] == [1, runs[0].id, runs[1].id]


def test_a_heartbeat_carries_the_progress(store: Store):
    before = time.time()
    store.set_stage_process(1, 4711, 1.5)
    store.beat(1, "sample", 3, 9, "samples")
    (run,) = store.stage_runs(1)
    assert (run.phase, run.done, run.total, run.unit) == ("sample", 3, 9, "samples")
    assert (run.pid, run.pid_start) == (4711, 1.5)
    assert before <= run.heartbeat_at <= time.time()


def test_the_first_end_of_a_stage_run_stays(store: Store):
    metrics = {"figure": {"value": float("nan"), "n": 0}, "seconds": [1.5, float("inf")]}
    store.end_stage_run(1, "done", metrics=metrics)
    store.end_stage_run(1, "failed", error="died on its way out")
    store.beat(1, "late", 1, 1, "x")
    (run,) = store.stage_runs(1)
    assert (run.status, run.error, run.phase) == ("done", None, "")
    assert run.metrics == {"figure": {"value": None, "n": 0}, "seconds": [1.5, None]}
    assert run.finished_at >= run.started_at


def test_what_is_unknown_is_refused(store: Store):
    with pytest.raises(StoreError, match="no stage run 99"):
        store.beat(99, "", 0, 0, "")
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        store.begin_stage_run(99, "critic", pid=None, pid_start=None)
    with pytest.raises(StoreError, match="CHECK"):
        store.end_stage_run(1, "splendid")
    with pytest.raises(StoreError, match="as JSON"):
        store.event("test", "m", data={"object": object()})


def test_events_come_newest_first_and_by_level(store: Store):
    store.event("one", "first", round_id=1, stage_run_id=1, data={"gpu": {"free": 1}})
    store.event("two", "bad \udcff", level="error")
    store.event("three", "last")
    assert [row["kind"] for row in store.events(limit=2)] == ["three", "two"]
    assert [row["message"] for row in store.events(level="error")] == ["bad \\udcff"]
    assert store.events()[-1]["data"] == {"gpu": {"free": 1}}


def test_processes_are_known_by_pid_and_start(store: Store):
    store.register_process(1, 10.25, "engine", "llama-server")
    store.register_process(1, 99.5, "engine", "reborn pid")
    store.register_process(1, 10.25, "engine", "again")
    store.forget_process(1, 99.5)
    store.forget_process(1, 99.5)
    (row,) = store.processes()
    assert {name: row[name] for name in ("pid", "pid_start", "role", "command")} == {
        "pid": 1,
        "pid_start": 10.25,
        "role": "engine",
        "command": "again",
    }
