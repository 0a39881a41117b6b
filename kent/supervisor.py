"""The parent's half of a stage process: starts it, watches it, ends it, and says how it ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from kent.config import DaemonConfig, KentConfig
from kent.logs import log, log_path, rotate_stage_logs
from kent.processes import (
    end_own_children,
    find,
    kill_tree,
    own_identity,
    reap_adopted,
    start_time,
)
from kent.resource_meter import ResourceMeter
from kent.stage_process import EXIT_STOPPED, EXIT_UNAVAILABLE, Failure, Job
from kent.stages import short_name
from kent.stop import StopRequest
from memory.records import StageRunRow
from memory.store import Store
from trainers.cards import CardReader, NoCards

POLL_S = 0.1
_LOOK_S = 0.5  # between two looks at the heartbeat
_KERNELS = 64  # of oneDNN, kept compiled in a stage

Watcher = Callable[[StageRunRow], object]


@dataclass(frozen=True)
class Ending:
    """How an attempt ended where the child did not record it itself."""

    status: str
    error: str
    failure: Failure | None = None


class Supervisor:
    """Runs one attempt of a stage in a child process and returns its row when it has ended."""

    def __init__(
        self,
        store: Store,
        config: KentConfig,
        stop: StopRequest,
        watch: Watcher,
        alive: Callable[[], object] = lambda: None,
        cards: CardReader | None = None,
    ) -> None:
        """``watch`` is shown each look at the row, ``alive`` is called about twice a second."""
        self._cards = cards or NoCards()
        self._store = store
        self._config = config
        self._limits: DaemonConfig = config.daemon
        self._stop = stop
        self._watch = watch
        self._alive = alive
        self._beat_of = 0  # the stage run that the last heartbeat was of
        self._beat_at: float | None = None  # as the store has it
        self._beat_seen = 0.0  # when it was new to us, on our steady clock

    def run(self, stage: str, round_id: int, seed: int, batch_scale: float) -> StageRunRow:
        """One attempt, from its row in the store to the end of its last process."""
        name = short_name(stage)
        pid, pid_start = own_identity()
        row = self._store.begin_stage_run(round_id, name, pid=pid, pid_start=pid_start)
        job = Job(
            stage=stage,
            round_id=round_id,
            stage_run_id=row.id,
            seed=seed,
            batch_scale=batch_scale,
            store=str(self._store.path),
            config=self._config.model_dump(mode="json"),
        )
        path = log_path(self._config.state_dir, name)
        older = {child.pid for child in psutil.Process().children()}
        meter = ResourceMeter(self._cards)
        with path.open("ab") as output:
            output.write(f"=== round {round_id}, {name}, attempt {row.attempt}\n".encode())
            output.flush()
            child = _spawn(output, self._config, name)
        try:
            self._store.set_stage_process(row.id, child.pid, start_time(child.pid) or 0.0)
            _tell(child, job)
            ending = self._until_ended(child, row, older, meter)
        finally:
            self._clean_up(child, older)
        ended = self._record(row, ending)
        self._store.add_resource_use(meter.result(row.id))
        return ended

    def _until_ended(
        self,
        child: "subprocess.Popen[bytes]",
        row: StageRunRow,
        older: set[int],
        meter: ResourceMeter,
    ) -> Ending | None:
        """Watch the child; how it ended, None where its own record is to be trusted."""
        started = looked = time.monotonic()
        asked_at: float | None = None
        while child.poll() is None:
            now = time.monotonic()
            if self._stop.now:
                return Ending("stopped", "ended at once, as asked")
            if asked_at is None and self._stop.halting:
                child.send_signal(signal.SIGTERM)
                asked_at = now
            if asked_at is not None and now - asked_at > self._limits.stop_grace_s:
                return Ending("stopped", f"ended {self._limits.stop_grace_s:g} s after a stop")
            if now - started > self._limits.stage_time_limit_s:
                return self._over_time(child)
            if now - looked >= _LOOK_S:
                looked = now
                self._alive()
                meter.look(child.pid)
                rotate_stage_logs(
                    self._config.state_dir,
                    max_mb=self._limits.log_max_mb,
                    keep=self._limits.log_keep,
                )
                reap_adopted({*older, child.pid})
                if late := self._look(row):
                    return late
            time.sleep(POLL_S)
        if asked_at is not None and child.returncode == -signal.SIGTERM:
            return Ending("stopped", "stopped before it had begun")
        return _by_exit_code(child.returncode)

    def _over_time(self, child: "subprocess.Popen[bytes]") -> Ending:
        """Let the unit of work in hand finish, for as long as the grace goes."""
        child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self._limits.kill_grace_s
        while child.poll() is None and time.monotonic() < deadline and not self._stop.now:
            time.sleep(POLL_S)
        text = f"over its time limit of {self._limits.stage_time_limit_s:g} s"
        return Ending("failed", f"{text} (daemon.stage_time_limit_s)", "time_limit")

    def _look(self, row: StageRunRow) -> Ending | None:
        """Show the progress; an ending where the last heartbeat is too old."""
        current = self._row(row)
        self._watch(current)
        # By our own steady clock: a machine that slept, or a clock that was set, is no silence.
        if current.heartbeat_at != self._beat_at or row.id != self._beat_of:
            self._beat_at, self._beat_of = current.heartbeat_at, row.id
            self._beat_seen = time.monotonic()
        age = time.monotonic() - self._beat_seen
        if age <= self._limits.heartbeat_timeout_s:
            return None
        text = f"no heartbeat for {age:.0f} s (daemon.heartbeat_timeout_s)"
        return Ending("failed", text, "no_heartbeat")

    def _clean_up(self, child: "subprocess.Popen[bytes]", older: set[int]) -> None:
        """End whatever the attempt left, whichever group or session it went to."""
        if child.poll() is None:
            kill_tree(psutil.Process(child.pid))
        child.wait()
        if child.stdin:
            child.stdin.close()
        strays = end_own_children(keep=older)
        for known in self._store.processes():
            if left := find(known["pid"], known["pid_start"]):
                kill_tree(left)
                strays += 1
            self._store.forget_process(known["pid"], known["pid_start"])
        if strays:
            log.info("ended %d processes that a stage had left", strays)

    def _record(self, row: StageRunRow, ending: Ending | None) -> StageRunRow:
        """Write how it ended; where the child already had, its own word stands."""
        unexplained = Ending("failed", "ended without a word; see its log", "crash")
        last = ending or unexplained
        self._store.end_stage_run(
            row.id,
            last.status,
            error=last.error,
            metrics={"failure": last.failure} if last.failure else None,
        )
        ended = self._row(row)
        self._watch(ended)
        return ended

    def _row(self, row: StageRunRow) -> StageRunRow:
        return next(run for run in self._store.stage_runs(row.round_id) if run.id == row.id)


def _spawn(output: IO[bytes], config: KentConfig, name: str) -> "subprocess.Popen[bytes]":
    """The child, leader of a session and process group of its own.

    Its arguments are for whoever lists processes; what it does, it is told on its input.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "kent.stage_process", name, str(config.state_dir)],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        bufsize=0,
        start_new_session=True,
        env=child_environment(config),
    )


def child_environment(config: KentConfig) -> dict[str, str]:
    """Our environment, with the place that this package came from.

    What only the daemon needs to know, where alerts go, is left out. oneDNN keeps a compiled kernel
    for each shape that it met, by default 1,024 of them: batches of ever new lengths filled memory
    with some 100 MB a step of the CTM's training. A capacity that is set already stays.
    """
    root = str(Path(__file__).resolve().parent.parent)
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    secret = config.alerts.token_env
    mine = {
        name: value
        for name, value in os.environ.items()
        if name != secret and not name.startswith("KENT_ALERTS__")
    }
    return {
        "ONEDNN_PRIMITIVE_CACHE_CAPACITY": str(_KERNELS),
        **mine,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "PYTHONUNBUFFERED": "1",
    }


def _tell(child: "subprocess.Popen[bytes]", job: Job) -> None:
    """Hand the job over; a child that is already dead is found by its exit code."""
    assert child.stdin is not None
    try:
        child.stdin.write(job.line())
    except BrokenPipeError:
        log.warning("the stage process died before it had its job")


def _by_exit_code(code: int) -> Ending | None:
    """What a child's exit says where it wrote nothing into the store itself."""
    if code == EXIT_UNAVAILABLE:
        text = "its files or the database cannot be written just now; see its log"
        return Ending("failed", text, "unavailable")
    if code == EXIT_STOPPED:
        return Ending("stopped", "stopped after the unit of work in hand")
    if code == -signal.SIGKILL:
        text = "out of memory, probably: killed by SIGKILL, as the kernel does then"
        return Ending("failed", text, "out_of_memory")
    if code < 0:
        return Ending("failed", f"crashed: killed by {signal.Signals(-code).name}", "crash")
    return (
        Ending("failed", f"crashed with exit code {code}; see its log", "crash") if code else None
    )
