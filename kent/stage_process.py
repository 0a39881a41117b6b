"""A stage as a child process: ``python -m kent.stage_process``, told what to do on its input.

The first line of standard input is the job, as JSON. The pipe then stays open for as long as the
parent lives: its end means that the parent is dead, and the child ends itself with everything that
it started. SIGTERM asks the stage to stop after the unit of work in hand.
"""

import json
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from kent.config import KentConfig
from kent.errors import KentError
from kent.processes import kill_own_group
from kent.stages import load_stage
from memory.errors import StoreError, StoreUnavailable
from memory.files import PASSING
from memory.store import Store
from trainers.errors import GeneratorError, TrainerError
from trainers.stage import Progress, Stage, StageContext, Stopped

log = logging.getLogger("kent.stage")

# How the child says by its exit code what it did not write into the store.
EXIT_DONE, EXIT_FAILED, EXIT_UNAVAILABLE, EXIT_STOPPED = 0, 1, 74, 75

# Why an attempt failed, in the metrics of its row; the first four are worth another attempt.
# After `unavailable` (a full disk, a locked file) the round waits, and none of them is used up.
Failure = Literal[
    "out_of_memory", "crash", "no_heartbeat", "generator", "time_limit", "error", "unavailable"
]
WORTH_RETRYING: frozenset[Failure] = frozenset(
    {"out_of_memory", "crash", "no_heartbeat", "generator"}
)


@dataclass(frozen=True)
class Job:
    """What the parent tells the child: which attempt of which stage, under which settings."""

    stage: str
    round_id: int
    stage_run_id: int
    seed: int
    batch_scale: float
    store: str
    config: dict[str, Any]

    def line(self) -> bytes:
        """The job as the child reads it."""
        return json.dumps(asdict(self)).encode() + b"\n"


def main() -> int:
    """Read the job, watch the parent, run the stage."""
    stop = _StopFlag()
    pipe = _private_input()
    line = pipe.readline()
    if not line.endswith(b"\n"):
        return EXIT_STOPPED  # the parent died before it had said what to do
    threading.Thread(target=_end_with_parent, args=(pipe.fileno(),), daemon=True).start()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    for package in ("kent", "trainers", "memory", "sandbox"):
        logging.getLogger(package).setLevel(logging.INFO)
    job = Job(**json.loads(line))
    try:
        with Store.open(Path(job.store), create=False) as store:
            return run_job(job, store, stop)
    except StoreUnavailable as error:  # it could not even be said in the store
        sys.stderr.write(f"failed: {error}\n")
        return EXIT_UNAVAILABLE


def run_job(job: Job, store: Store, stop: "_StopFlag") -> int:
    """Run one attempt of a stage and record how it ended; an exit code."""
    settings = KentConfig.model_validate_json(json.dumps(job.config), strict=True)
    context = StageContext(
        store=store,
        settings=settings,
        state_dir=settings.state_dir,
        round_id=job.round_id,
        stage_run_id=job.stage_run_id,
        seed=job.seed,
        batch_scale=job.batch_scale,
        stop_requested=lambda: stop.requested,
    )
    try:
        with _heartbeat(store, job.stage_run_id, context.progress, settings.daemon.heartbeat_s):
            ended = _run(load_stage(job.stage), context)
        store.end_stage_run(job.stage_run_id, **ended)
        return EXIT_DONE
    except Stopped:
        return EXIT_STOPPED
    except Exception as error:  # noqa: BLE001 - whatever a stage raises is recorded, with its type
        return _record_failure(store, job.stage_run_id, error)


def is_out_of_memory(error: BaseException) -> bool:
    """True for Python's, torch's and CUDA's ways to say so, also as the cause of another error."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, RuntimeError | TrainerError):
        text = str(error).lower()
        if "out of memory" in text or "can't allocate memory" in text:
            return True
    return error.__cause__ is not None and is_out_of_memory(error.__cause__)


def is_unavailable(error: BaseException) -> bool:
    """True where a place could not be written just now: that is no fault of the stage."""
    if isinstance(error, StoreUnavailable):
        return True
    if isinstance(error, OSError) and error.errno in PASSING:
        return True
    if "no space left on device" in str(error).lower():  # as libraries in other languages say it
        return True
    return error.__cause__ is not None and is_unavailable(error.__cause__)


def _run(stage: Stage, context: StageContext) -> dict[str, Any]:
    """Run the stage where it is due; what to record of it."""
    if reason := stage.why_not_due(context):
        return {"status": "skipped", "error": reason}
    return {"status": "done", "metrics": stage.run(context).metrics}


def _record_failure(store: Store, stage_run_id: int, error: Exception) -> int:
    """The error as one line in the store; an unexpected one with its type and, here, its trace."""
    expected = isinstance(error, TrainerError | StoreError | KentError)
    text = str(error) if expected else f"{type(error).__name__}: {error}"
    failure: Failure = "error"
    if is_out_of_memory(error):
        failure, text = "out_of_memory", f"out of memory: {text}"
    elif is_unavailable(error):
        failure = "unavailable"
    elif isinstance(error, GeneratorError):  # it may have died of something that passes
        failure = "generator"
    if not expected:
        traceback.print_exc()
    line = " ".join(text.split())
    sys.stderr.write(f"failed: {line}\n")
    store.end_stage_run(stage_run_id, "failed", error=line, metrics={"failure": failure})
    return EXIT_FAILED


class _StopFlag:
    """Set by SIGTERM; SIGINT is the parent's business."""

    def __init__(self) -> None:
        self.requested = False
        signal.signal(signal.SIGTERM, self._set)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _set(self, number: int, frame: FrameType | None) -> None:
        self.requested = True


def _private_input() -> Any:
    """Standard input, moved to where no grandchild inherits it; theirs is empty."""
    private = os.dup(0)
    os.set_inheritable(private, False)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    return os.fdopen(private, "rb", buffering=0)


def _end_with_parent(descriptor: int) -> None:
    while os.read(descriptor, 4096):
        pass
    kill_own_group()


@contextmanager
def _heartbeat(
    store: Store, stage_run_id: int, progress: Progress, every_s: float
) -> Iterator[None]:
    """Write the progress into the store until the block ends, from a thread of its own."""
    ended = threading.Event()

    def beat() -> None:
        now = progress
        try:
            store.beat(stage_run_id, now.phase, now.done, now.total, now.unit)
        except StoreError as error:  # the next beat may succeed; the parent watches the gap
            log.warning("heartbeat not written: %s", error)

    def loop() -> None:
        while not ended.wait(every_s):
            beat()

    thread = threading.Thread(target=loop, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        beat()


if __name__ == "__main__":
    sys.exit(main())
