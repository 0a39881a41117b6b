"""A round's stages as child processes: retried, ended, recorded, resumed, never left behind."""

import os
import subprocess
import sys
import time

import psutil
import pytest
from box import Box, wait_for

from kent.processes import start_time
from kent.rounds import RoundOutcome, end_earlier_life, next_batch_scale, run_round
from kent.stop import StopRequest
from memory.records import StageRunRow


@pytest.fixture
def here(box: Box, monkeypatch: pytest.MonkeyPatch) -> Box:
    """A box whose rounds run in this very process; only the stages are children."""
    monkeypatch.setenv("PYTHONPATH", box.env["PYTHONPATH"])
    (box.state / "logs").mkdir()
    (box.state / "run").mkdir()
    return box


def play(box: Box, stop: StopRequest | None = None) -> tuple[RoundOutcome, list[StageRunRow]]:
    with box.store() as store:
        end_earlier_life(store, 0.5)
        outcome = run_round(store, box.config(), stop or StopRequest())
        return outcome, store.stage_runs(outcome.round_id)


def words(runs: list[StageRunRow]) -> list[str]:
    return [run.status for run in runs]


def test_a_round_runs_its_stage_and_closes(here: Box) -> None:
    outcome, [run] = play(here)
    assert (outcome.status, run.status, run.done, run.total) == ("done", "done", 4, 4)
    assert run.metrics["units"]["n"] == 4
    with here.store() as store:
        row = store.rounds()[0]
        assert (row.status, row.config["stages"]["enabled"]) == (
            "done", ["tiny_stage:TinyStage"])  # fmt: skip
        assert row.code_version


def test_each_round_has_a_seed_of_its_own(here: Box) -> None:
    play(here)
    play(here)
    assert [line.split()[-1] for line in here.notes("start")] == ["0", "1"]


@pytest.mark.parametrize("trouble", ["memory", "cuda", "kill"])
def test_out_of_memory_is_retried_with_half_the_batch(here: Box, trouble: str) -> None:
    here.plan(attempts=[trouble])
    outcome, runs = play(here)
    assert (outcome.status, words(runs)) == ("done", ["failed", "done"])
    assert "out of memory" in (runs[0].error or "")
    assert [line.split()[1] for line in here.notes("start")] == ["1.0", "0.5"]
    assert len(here.notes("unit")) == 4  # what the first attempt did is not done again


def test_out_of_memory_twice_is_a_failure(here: Box) -> None:
    here.plan(attempts=["memory", "memory", None])
    outcome, runs = play(here)
    assert (outcome.status, words(runs)) == ("failed", ["failed", "failed"])


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("segv", "killed by SIGSEGV"),
        ("exit", "exit code 3"),
        ("generator", "the engine died"),
    ],
)
def test_a_crash_is_retried_with_the_whole_batch(here: Box, trouble: str, said: str) -> None:
    here.plan(attempts=[trouble])
    outcome, runs = play(here)
    assert (outcome.status, words(runs)) == ("done", ["failed", "done"])
    assert said in (runs[0].error or "")
    assert [line.split()[1] for line in here.notes("start")] == ["1.0", "1.0"]


@pytest.mark.parametrize(
    ("trouble", "said"),
    [("error", "the weights are gone: fetch them"), ("bug", "ZeroDivisionError: a bug")],
)
def test_a_failure_is_recorded_in_one_line_and_stops_no_other_stage(
    here: Box, trouble: str, said: str
) -> None:
    here.write('[stages]\nenabled = ["tiny_stage:TinyStage", "tiny_stage:OtherStage"]\n'
               "[daemon]\nheartbeat_s = 0.1\nmin_free_gb = 0\n")  # fmt: skip
    here.plan(attempts=[trouble])
    outcome, runs = play(here)
    assert outcome.status == "failed"
    assert [(run.stage, run.status) for run in runs] == [
        ("TinyStage", "failed"), ("OtherStage", "done")]  # fmt: skip
    assert runs[0].error == said
    with here.store() as store:
        assert said in store.events(level="error")[0]["message"]
    log = (here.state / "logs" / "TinyStage.log").read_text()
    assert said in log
    assert ("Traceback" in log) == (trouble == "bug")


def test_a_stage_that_is_not_due_is_skipped_with_its_reason(here: Box) -> None:
    here.plan(attempts=["skip"])
    outcome, [run] = play(here)
    assert (outcome.status, run.status, run.error) == ("done", "skipped", "nothing to do")


def test_a_stage_that_cannot_be_loaded_fails(here: Box) -> None:
    here.write('[stages]\nenabled = ["tiny_stage:Nobody"]\n')
    outcome, [run] = play(here)
    assert outcome.status == "failed"
    assert "cannot load 'tiny_stage:Nobody'" in (run.error or "")


def test_a_stage_over_its_time_limit_is_ended_and_not_retried(here: Box) -> None:
    here.add("stage_time_limit_s = 1\n")
    here.plan(attempts=["hang"])
    began = time.monotonic()
    outcome, [run] = play(here)
    assert outcome.status == "failed"
    assert "over its time limit of 1 s" in (run.error or "")
    assert run.metrics == {"failure": "time_limit"}
    assert time.monotonic() - began < 20


def test_a_stage_without_a_heartbeat_is_ended_and_retried(here: Box) -> None:
    # On a busy machine a start can be silent for longer than that: it has retries to spare.
    here.add("heartbeat_timeout_s = 4\nretries = 10\n")
    here.plan(attempts=["silent"])
    outcome, runs = play(here)
    assert (outcome.status, runs[0].status, runs[-1].status) == ("done", "failed", "done")
    assert "no heartbeat" in (runs[0].error or "")


def test_no_stage_starts_without_space(here: Box) -> None:
    here.write((here.folder / "kent.toml").read_text().replace(
        "min_free_gb = 0", "min_free_gb = 1000000"))  # fmt: skip
    outcome, runs = play(here)
    assert (outcome.status, runs) == ("blocked", [])
    assert "free some space" in outcome.reason
    with here.store() as store:
        assert store.current_round() is not None  # it goes on when there is space again


def test_a_disk_that_fills_up_blocks_the_round_and_uses_up_no_attempt(here: Box) -> None:
    here.add("retries = 0\n")
    here.plan(attempts=["full", "full"])
    for _ in range(2):
        outcome, runs = play(here)
        assert outcome.status == "blocked"
        assert "No space left on device" in outcome.reason
        assert runs[-1].metrics == {"failure": "unavailable"}
    outcome, runs = play(here)
    assert (outcome.round_id, outcome.status, words(runs)) == (1, "done", ["failed"] * 2 + ["done"])
    assert len(here.notes("unit")) == 4


def test_a_pause_stops_the_stage_after_its_unit(here: Box) -> None:
    here.plan(units=20, pause_s=0.05)
    paused = []
    stop = StopRequest(lambda: bool(paused))
    with here.store() as store:
        watch = lambda row: paused.append(1) if row.done >= 3 else None  # noqa: E731
        assert run_round(store, here.config(), stop, watch).status == "stopped"
    assert not stop.requested
    assert play(here)[0].status == "done"
    assert len(here.notes("unit")) == len(set(here.notes("unit"))) == 20


def test_the_daemon_never_ends_itself_as_an_orphan(here: Box) -> None:
    with here.store() as store:
        row = store.open_round(seed=0, config={}, code_version="x")
        pid = os.getpid()
        store.begin_stage_run(row.id, "TinyStage", pid=pid, pid_start=start_time(pid))
        end_earlier_life(store, 0.1)
        assert words(store.stage_runs(row.id)) == ["killed"]


def test_a_stop_finishes_the_unit_and_the_next_round_goes_on(here: Box) -> None:
    here.plan(units=20, pause_s=0.05)
    stop = StopRequest()
    with here.store() as store:
        outcome = run_round(store, here.config(), stop, _stop_at(stop, 3))
        assert outcome.status == "stopped"
        assert words(store.stage_runs(outcome.round_id)) == ["stopped"]
        assert store.current_round() is not None
    again, runs = play(here)
    assert (again.round_id, again.status, words(runs)) == (
        outcome.round_id, "done", ["stopped", "done"])  # fmt: skip
    assert len(here.notes("unit")) == len(set(here.notes("unit"))) == 20


def test_a_stage_that_does_not_stop_in_time_is_ended(here: Box) -> None:
    here.add("stop_grace_s = 0.5\n")
    here.plan(attempts=["hang"])
    stop = StopRequest()
    with here.store() as store:
        outcome = run_round(store, here.config(), stop, _stop_at(stop, 2))
        [run] = store.stage_runs(outcome.round_id)
    assert (outcome.status, run.status) == ("stopped", "stopped")


def test_a_resumed_round_keeps_the_configuration_that_it_began_with(here: Box) -> None:
    here.plan(units=40, pause_s=0.05)
    stop = StopRequest()
    with here.store() as store:
        run_round(store, here.config(), stop, _stop_at(stop, 1))
    here.plan()
    here.add("[critic]\nepochs = 3\n")
    outcome, _ = play(here)
    with here.store() as store:
        assert store.rounds()[0].config["critic"]["epochs"] == 60
        said = [event["message"] for event in store.events()]
    assert f"round {outcome.round_id} goes on with the configuration that it began with" in said


def test_what_a_dead_daemon_left_is_ended_and_its_attempt_goes_on(here: Box) -> None:
    engine, other, stage = (
        subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
        )
        for _ in range(3)
    )
    try:
        with here.store() as store:
            row = store.open_round(
                seed=0, config=here.config().model_dump(mode="json"), code_version="x"
            )
            began = start_time(stage.pid)
            store.begin_stage_run(row.id, "TinyStage", pid=stage.pid, pid_start=began)
            store.register_process(engine.pid, start_time(engine.pid) or 0, "engine", "sleep")
            store.register_process(other.pid, 1.0, "engine", "an earlier owner of the pid")
        outcome, runs = play(here)
        assert (outcome.status, words(runs)) == ("done", ["killed", "done"])
        assert engine.wait(5) != 0
        assert stage.wait(5) != 0
        assert other.poll() is None
        with here.store() as store:
            assert store.processes() == []
    finally:
        for process in (engine, other, stage):
            process.kill()
            process.wait()


def test_what_a_stage_left_running_is_ended_with_it(box: Box) -> None:
    box.plan(attempts=["stray"])
    assert box.kent("round").returncode == 0
    [stray] = box.notes("stray")
    assert not psutil.pid_exists(int(stray))


def test_a_stage_without_its_parent_ends_with_all_that_it_started(here: Box) -> None:
    here.plan(attempts=["stray_hang"])
    parent = subprocess.Popen(
        [sys.executable, "-m", "kent", "round"], cwd=here.folder, env=here.env,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    [stray] = wait_for(lambda: here.notes("stray"))
    pids = [int(stray), int(here.notes("start")[0].split()[0])]
    parent.kill()
    parent.wait()
    wait_for(lambda: not any(_alive(pid) for pid in pids), 5)


def test_the_plan_of_attempts() -> None:
    def runs(*ends: str) -> list[StageRunRow]:
        return [
            StageRunRow(
                n, 1, "s", n, end.split(":")[0], 0, 1, None, None, None, "", 0, 0, "", None,
                {"failure": end.split(":")[1]} if ":" in end else {},
            )
            for n, end in enumerate(ends, 1)
        ]  # fmt: skip

    assert next_batch_scale([], 1) == 1
    assert next_batch_scale(runs("done"), 1) is None
    assert next_batch_scale(runs("skipped"), 1) is None
    assert next_batch_scale(runs("killed", "stopped"), 0) == 1
    assert next_batch_scale(runs("failed:error"), 3) is None
    assert next_batch_scale(runs("failed:generator"), 1) == 1
    assert next_batch_scale(runs("failed:unavailable", "failed:unavailable"), 0) == 1
    assert next_batch_scale(runs("failed:unavailable", "failed:crash"), 1) == 1
    assert next_batch_scale(runs("failed:time_limit"), 3) is None
    assert next_batch_scale(runs("failed:crash"), 0) is None
    assert next_batch_scale(runs("failed:crash"), 1) == 1
    assert next_batch_scale(runs("failed:out_of_memory"), 1) == 0.5
    assert next_batch_scale(runs("failed:out_of_memory", "killed"), 1) == 0.5
    assert next_batch_scale(runs("failed:out_of_memory", "failed:crash"), 1) is None


def _stop_at(stop: StopRequest, done: int):
    def watch(row: StageRunRow) -> None:
        if row.done >= done and not stop.requested:
            stop.ask()

    return watch


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
