"""One round: opened or resumed, its stages in order, each retried where that helps, closed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kent.config import KentConfig, stored_config
from kent.disk import require_space
from kent.errors import ConfigError, DaemonError
from kent.logs import log
from kent.processes import end_gently, find
from kent.stage_process import WORTH_RETRYING
from kent.stages import short_name
from kent.stop import StopRequest
from kent.supervisor import Supervisor, Watcher
from kent.version import code_version
from memory.records import RoundRow, StageRunRow
from memory.store import Store


@dataclass(frozen=True)
class RoundOutcome:
    """How a pass ended; a ``stopped`` round goes on at the next start."""

    round_id: int
    status: Literal["done", "failed", "stopped"]


def run_round(
    store: Store, config: KentConfig, stop: StopRequest, watch: Watcher = lambda row: None
) -> RoundOutcome:
    """Run the round that was cut, or a new one; each unit of work that is done stays done."""
    round_row = store.open_round(
        seed=config.seed + len(store.rounds()),
        config=config.model_dump(mode="json"),
        code_version=code_version(),
    )
    config = _settings_of(round_row, config, store)
    for stage in config.stages.enabled:
        if not _run_stage(store, config, stop, watch, round_row, stage):
            log.info("round %d stopped; it goes on at the next start", round_row.id)
            return RoundOutcome(round_row.id, "stopped")
    last = {run.stage: run for run in store.stage_runs(round_row.id)}
    status: Literal["done", "failed"] = (
        "failed" if any(run.status == "failed" for run in last.values()) else "done"
    )
    store.close_round(round_row.id, status)
    store.checkpoint()
    log.info("round %d %s", round_row.id, status)
    return RoundOutcome(round_row.id, status)


def next_batch_scale(runs: Sequence[StageRunRow], retries: int) -> float | None:
    """The batch scale of a stage's next attempt in its round; None when it is through.

    Args:
        runs: The stage's attempts so far, oldest first.
        retries: How many failures that are worth it lead to another attempt.
    """
    if not runs:
        return 1.0
    failures = [run.metrics.get("failure") for run in runs if run.status == "failed"]
    if runs[-1].status in ("done", "skipped"):
        return None
    if runs[-1].status == "failed" and (
        failures[-1] not in WORTH_RETRYING or len(failures) > retries
    ):
        return None
    return 0.5 ** failures.count("out_of_memory")


def end_earlier_life(store: Store, grace_s: float) -> None:
    """End what a dead daemon left running, and close the rows of the attempts that it cut.

    Call it only while holding the state directory: then whatever the store names is an orphan.
    """
    round_row = store.current_round()
    cut = [run for run in store.stage_runs(round_row.id) if run.status == "running"] if (
        round_row
    ) else []  # fmt: skip
    known = store.processes()
    named = [(row["pid"], row["pid_start"]) for row in known]
    named += [(run.pid, run.pid_start) for run in cut]
    living = [process for pid, began in named if (process := find(pid, began))]
    if living:
        log.warning("ending %d processes of an earlier life", len(living))
        end_gently(living, grace_s)
    for row in known:
        store.forget_process(row["pid"], row["pid_start"])
    for run in cut:
        store.end_stage_run(run.id, "killed", error="found dead at the next start")
        _tell(store, run, f"{run.stage}, attempt {run.attempt}: cut; it goes on", "warning")


def _settings_of(round_row: RoundRow, config: KentConfig, store: Store) -> KentConfig:
    """The settings that the round began with: its figures must stand for one configuration."""
    try:
        settings = stored_config(round_row.config, config)
    except ConfigError as error:
        store.event("round", str(error), level="warning", round_id=round_row.id)
        return config
    if settings != config:
        text = f"round {round_row.id} goes on with the configuration that it began with"
        store.event("round", text, round_id=round_row.id)
        log.info(text)
    return settings


def _run_stage(
    store: Store,
    config: KentConfig,
    stop: StopRequest,
    watch: Watcher,
    round_row: RoundRow,
    stage: str,
) -> bool:
    """Attempts of one stage until it is through; False when asked to stop before."""
    name = short_name(stage)
    supervisor = Supervisor(store, config, stop, watch)
    while True:
        runs = [run for run in store.stage_runs(round_row.id) if run.stage == name]
        scale = next_batch_scale(runs, config.daemon.retries)
        if scale is None:
            return True
        if stop.requested:
            return False
        log.info("round %d, %s, attempt %d%s", round_row.id, name, len(runs) + 1,
                 "" if scale == 1 else f" with {scale:g} of the batch")  # fmt: skip
        try:
            require_space(config.state_dir, config.daemon.min_free_gb)
        except DaemonError as error:
            run = store.begin_stage_run(round_row.id, name, pid=None, pid_start=None)
            store.end_stage_run(run.id, "failed", error=str(error), metrics={"failure": "error"})
            _tell(store, run, f"{name}: {error}", "error")
            continue
        run = supervisor.run(stage, round_row.id, round_row.seed, scale)
        _report_end(store, run)


def _report_end(store: Store, run: StageRunRow) -> None:
    level = "error" if run.status == "failed" else "info"
    detail = f": {run.error}" if run.error else ""
    _tell(store, run, f"{run.stage}, attempt {run.attempt}: {run.status}{detail}", level)


def _tell(store: Store, run: StageRunRow, message: str, level: str) -> None:
    """An event that a person can read later, and the same line in the log."""
    store.event("stage", message, level=level, round_id=run.round_id, stage_run_id=run.id)
    {"error": log.error, "warning": log.warning}.get(level, log.info)(message)
