"""A stage for the daemon's tests: units of work whose pace and trouble a file in its folder says.

``<state>/tiny.json`` holds ``units``, ``pause_s``, and ``attempts``: for each attempt, in order, a
trouble (or null): memory, cuda, kill, segv, exit, error, bug, generator, full, silent, hang, stray,
skip.
"""

import errno
import json
import os
import signal
import subprocess
import sys
import time

from memory.records import Figure, ProblemRow
from trainers.errors import GeneratorError, TrainerError
from trainers.stage import StageContext, StageResult


class OutOfMemoryError(RuntimeError):
    """Named like torch's."""


class TinyStage:
    name = "TinyStage"

    def why_not_due(self, context: StageContext) -> str | None:
        plan = _plan(context)
        return "nothing to do" if plan["trouble"] == "skip" else None

    def run(self, context: StageContext) -> StageResult:
        plan = _plan(context)
        _note(context, f"start {os.getpid()} {context.batch_scale} {context.seed}")
        done = {row.id for row in context.store.problems()}
        units = [f"tiny/{context.round_id}/{number}" for number in range(plan["units"])]
        context.progress.start("work", len(units), "units", done=len(done & set(units)))
        for number, unit in enumerate(units):
            if unit in done:
                continue
            context.check_stop()
            if number == plan["units"] // 2:
                _trouble(plan["trouble"], context)
            time.sleep(plan["pause_s"])
            context.store.add_problems([_problem(unit)], "tiny")
            _note(context, f"unit {unit}")
            context.progress.advance()
        return StageResult({"units": Figure(float(len(units)), None, None, len(units)).to_json()})


class OtherStage(TinyStage):
    name = "OtherStage"


def _plan(context: StageContext) -> dict:
    plan = {"units": 4, "pause_s": 0.01, "attempts": []}
    file = context.state_dir / "tiny.json"
    if file.exists():
        plan |= json.loads(file.read_text())
    runs = [r for r in context.store.stage_runs(context.round_id) if r.stage == "TinyStage"]
    mine = next((r for r in runs if r.id == context.stage_run_id), None)
    troubles = plan["attempts"]
    attempt = mine.attempt if mine else 99
    plan["trouble"] = troubles[attempt - 1] if attempt <= len(troubles) else None
    return plan


def _note(context: StageContext, line: str) -> None:
    with (context.state_dir / "tiny.log").open("a") as file:
        file.write(line + "\n")


def _problem(unit: str) -> ProblemRow:
    return ProblemRow(unit, "tiny", "do it", "f", "train", {}, "hash")


def _trouble(word: str | None, context: StageContext) -> None:
    if word == "memory":
        raise MemoryError
    if word == "cuda":
        raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    if word == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "segv":
        os.kill(os.getpid(), signal.SIGSEGV)
    if word == "exit":
        os._exit(3)
    if word == "error":
        raise TrainerError("the weights are gone:\nfetch them")
    if word == "generator":
        raise GeneratorError("the engine died")
    if word == "full":
        raise OSError(errno.ENOSPC, "No space left on device", "features")
    if word == "bug":
        raise ZeroDivisionError("a bug")
    if word == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    if word == "silent":  # stops the whole process, heartbeat thread included
        os.kill(os.getpid(), signal.SIGSTOP)
    if word in ("stray", "stray_hang"):
        command = [sys.executable, "-c", "import time; time.sleep(600)"]
        stray = subprocess.Popen(command, start_new_session=True)
        _note(context, f"stray {stray.pid}")
        if word == "stray_hang":
            time.sleep(600)
