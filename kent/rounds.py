"""One round: opened or resumed, its stages in order, each retried where that helps, closed."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from kent.backups import is_due, make_backup
from kent.card_check import why_not_free
from kent.champions import replace_damaged
from kent.config import KentConfig, stored_config
from kent.disk import require_space
from kent.errors import ConfigError, DaemonError
from kent.logs import log
from kent.processes import end_gently, find
from kent.retention import prune
from kent.stage_process import WORTH_RETRYING
from kent.stages import short_name
from kent.stop import StopRequest
from kent.supervisor import Supervisor, Watcher
from kent.version import code_version
from memory.errors import StoreError
from memory.records import RoundRow, StageRunRow
from memory.store import Store
from trainers.cards import CardReader, NoCards
from trainers.heap import give_back


@dataclass(frozen=True)
class RoundOutcome:
    """How a pass ended; a ``stopped`` round goes on at the next start.

    A ``blocked`` one goes on when what ``reason`` names is put right: no stage can work now.
    """

    round_id: int
    status: Literal["done", "failed", "stopped", "blocked"]
    reason: str = ""


class _Blocked(Exception):
    """No stage can work until a person has put something right."""


def run_round(
    store: Store,
    config: KentConfig,
    stop: StopRequest,
    watch: Watcher = lambda row: None,
    alive: Callable[[], object] = lambda: None,
    cards: CardReader | None = None,
) -> RoundOutcome:
    """Run the round that was cut, or a new one; each unit of work that is done stays done.

    Args:
        store: of the state directory, which this process holds.
        config: the effective configuration.
        stop: asked between and within the stages.
        watch: shown each look at a stage's row.
        alive: called every now and then, so that a watchdog sees that this process goes on.
        cards: tells of the cards; None: there is none.
    """
    cards = cards or NoCards()
    round_row = store.open_round(
        seed=config.seed + store.round_count(),
        config=config.model_dump(mode="json"),
        code_version=code_version(),
    )
    config = _settings_of(round_row, config, store)
    try:
        for stage in config.stages.enabled:
            supervisor = Supervisor(store, config, stop, watch, alive, cards)
            prepare = partial(_prepare, store, config, cards)
            if not _run_stage(store, config, stop, supervisor, prepare, round_row, stage):
                log.info("round %d stopped; it goes on where it was", round_row.id)
                return RoundOutcome(round_row.id, "stopped")
    except _Blocked as blocked:
        return RoundOutcome(round_row.id, "blocked", str(blocked))
    finally:
        _checkpoint(store)
    last = {run.stage: run for run in store.stage_runs(round_row.id)}
    status: Literal["done", "failed"] = (
        "failed" if any(run.status == "failed" for run in last.values()) else "done"
    )
    store.close_round(round_row.id, status)
    log.info("round %d %s", round_row.id, status)
    _tidy(store, config)
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
    counted = [failure for failure in failures if failure != "unavailable"]
    if runs[-1].status in ("done", "skipped"):
        return None
    if (
        runs[-1].status == "failed"
        and failures[-1] != "unavailable"
        and (failures[-1] not in WORTH_RETRYING or len(counted) > retries)
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
    # An attempt that could not even begin, on a full disk say, still bears our own number.
    found = [process for pid, began in named if (process := find(pid, began))]
    living = [process for process in found if process.pid != os.getpid()]
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
    supervisor: Supervisor,
    prepare: Callable[[], None],
    round_row: RoundRow,
    stage: str,
) -> bool:
    """Attempts of one stage until it is through; False when asked to stop before.

    Raises:
        _Blocked: there is no space, or a place cannot be written.
    """
    name = short_name(stage)
    while True:
        runs = [run for run in store.stage_runs(round_row.id) if run.stage == name]
        scale = next_batch_scale(runs, config.daemon.retries)
        if scale is None:
            return True
        if stop.halting:
            return False
        prepare()
        log.info("round %d, %s, attempt %d%s", round_row.id, name, len(runs) + 1,
                 "" if scale == 1 else f" with {scale:g} of the batch")  # fmt: skip
        run = supervisor.run(stage, round_row.id, round_row.seed, scale)
        _report_end(store, run)
        if run.status == "failed" and run.metrics.get("failure") == "unavailable":
            raise _Blocked(f"{name}: {run.error}")


def _prepare(store: Store, config: KentConfig, cards: CardReader) -> None:
    """What every attempt wants: space, a free card, champions that are sound, a recent backup.

    Raises:
        _Blocked: not enough space, also after what retention gave back; or the card is held.
    """
    try:
        require_space(config.state_dir, config.daemon.min_free_gb)
    except DaemonError:
        if config.retention.enabled:
            prune(store, config.retention)
        try:
            require_space(config.state_dir, config.daemon.min_free_gb)
        except DaemonError as error:
            raise _Blocked(str(error)) from error
    if held := why_not_free(cards, config.card):
        raise _Blocked(held)
    for said in replace_damaged(store):
        log.error("damaged champion: %s", said)
    _back_up(store, config)


def _tidy(store: Store, config: KentConfig) -> None:
    """After a round: a backup where one is due, and what retention lets go."""
    _back_up(store, config)
    if config.retention.enabled:
        prune(store, config.retention)
    _checkpoint(store)
    give_back()


def _checkpoint(store: Store) -> None:
    """Shorten the database's log; one that cannot be is no reason to end anything."""
    try:
        store.checkpoint()
    except StoreError as error:
        log.warning("the log of the database stays as it is: %s", error)


def _back_up(store: Store, config: KentConfig) -> None:
    """Make the backup that is due; one that fails is told and ends no round."""
    try:
        if is_due(config.state_dir, config.backup, time.time()):
            log.info("backup: %s", make_backup(config.state_dir, config.backup.keep))
    except (StoreError, OSError) as error:
        log.warning("backup failed: %s", error)
        store.event("backup", f"failed: {error}", level="error")


def _report_end(store: Store, run: StageRunRow) -> None:
    level = "error" if run.status == "failed" else "info"
    detail = f": {run.error}" if run.error else ""
    _tell(store, run, f"{run.stage}, attempt {run.attempt}: {run.status}{detail}", level)


def _tell(store: Store, run: StageRunRow, message: str, level: str) -> None:
    """An event that a person can read later, and the same line in the log."""
    store.event("stage", message, level=level, round_id=run.round_id, stage_run_id=run.id)
    {"error": log.error, "warning": log.warning}.get(level, log.info)(message)
