"""The daemon: one process a state directory that runs rounds when they are due, until stopped.

The scheduler is only the clock that says when to look again; what is due, what was cut and what is
done is read from the store, so that a restart at any moment goes on where it was.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler

from kent.config import KentConfig
from kent.errors import DaemonError, KentError
from kent.instance import Instance, Role
from kent.logs import log, set_up
from kent.processes import adopt_orphans
from kent.progress import PaceFile, ProgressView
from kent.rounds import RoundOutcome, end_earlier_life, run_round
from kent.stop import StopRequest
from memory.errors import StoreError
from memory.records import RoundRow
from memory.store import Store

_POLL_S = 0.2


class Daemon:
    """Runs rounds in the foreground; :mod:`kent.control` puts it into the background."""

    def __init__(
        self, config: KentConfig, *, rounds: int | None = None, quiet: bool = False
    ) -> None:
        """What to run.

        Args:
            config: The effective configuration.
            rounds: End after so many, the first at once; None means ``daemon.rounds``.
            quiet: Write to ``daemon.log`` only, and nothing to standard error.
        """
        self._config = config
        self._quiet = quiet
        self._limit = config.daemon.rounds if rounds is None else rounds
        self._at_once = rounds is not None
        self._due = threading.Event()

    def run(self) -> bool:
        """Run until stopped or through; True when no round of this life failed.

        Raises:
            AlreadyRunning: another process holds the state directory.
            StoreError: the database cannot be used; nothing that was committed is lost.
        """
        with _opened(self._config, "daemon", quiet=self._quiet) as (store, instance, stop):
            return self._loop(store, instance, stop)

    def _loop(self, store: Store, instance: Instance, stop: StopRequest) -> bool:
        finished: list[RoundOutcome] = []
        with _clock() as scheduler:
            while not stop.requested and (not self._limit or len(finished) < self._limit):
                due_at = self._due_at(store, first=not finished)
                if due_at > time.time():
                    self._wait(scheduler, instance, stop, due_at)
                    continue
                outcome = _watched_round(store, self._config, stop, quiet=self._quiet)
                if outcome.status != "stopped":
                    finished.append(outcome)
        if stop.requested:
            log.info("stopped")
            return True
        log.info("through: %d rounds", len(finished))
        return all(outcome.status == "done" for outcome in finished)

    def _due_at(self, store: Store, *, first: bool) -> float:
        """When the next round begins, in Unix seconds; in the past where one was cut."""
        rounds = store.rounds()
        if not rounds or rounds[-1].finished_at is None or (first and self._at_once):
            return 0.0
        pause_s = self._config.daemon.interval_minutes * 60
        return rounds[-1].finished_at + max(pause_s, pause_after_failures_s(rounds))

    def _wait(
        self,
        scheduler: BackgroundScheduler,
        instance: Instance,
        stop: StopRequest,
        due_at: float,
    ) -> None:
        """Sleep until the clock marks the round as due, or a stop is asked for."""
        self._due.clear()
        when = datetime.fromtimestamp(due_at, UTC)
        scheduler.add_job(self._due.set, "date", run_date=when, id="round", replace_existing=True)
        instance.next_due(due_at)
        log.info("next round at %s", when.astimezone().strftime("%Y-%m-%d %H:%M:%S"))
        while not stop.requested and not self._due.is_set():
            time.sleep(_POLL_S)
        instance.next_due(None)


def run_one_round(config: KentConfig, *, named: bool) -> RoundOutcome:
    """One round in the foreground, with progress: what ``kent round`` does.

    Args:
        config: The effective configuration.
        named: Its stages were asked for by name: a cut round with other stages is refused.

    Raises:
        AlreadyRunning: a daemon holds the state directory.
        DaemonError: another round was cut, and it has other stages.
        StoreError: the database cannot be used.
    """
    with _opened(config, "round", quiet=False) as (store, _, stop):
        cut = store.current_round()
        if named and cut and cut.config.get("stages") != config.stages.model_dump(mode="json"):
            raise DaemonError(
                f"round {cut.id} was cut and has other stages; `kent round` without names ends it"
            )
        return _watched_round(store, config, stop, quiet=False)


def _watched_round(
    store: Store, config: KentConfig, stop: StopRequest, *, quiet: bool
) -> RoundOutcome:
    if quiet:
        return run_round(store, config, stop, PaceFile(config.state_dir))
    with ProgressView(config.state_dir) as view:
        return run_round(store, config, stop, view)


@contextmanager
def _opened(
    config: KentConfig, role: Role, *, quiet: bool
) -> Iterator[tuple[Store, Instance, StopRequest]]:
    """The state directory held, its log open, what an earlier life left behind ended."""
    limits = config.daemon
    with Instance(config.state_dir, role) as instance, StopRequest() as stop:
        set_up(config.state_dir, max_mb=limits.log_max_mb, keep=limits.log_keep, stderr=not quiet)
        if instance.previous and instance.previous.crashed:
            log.warning("the process before (pid %d) had crashed", instance.previous.pid)
        adopt_orphans()
        try:
            with Store.open(config.state_dir / "kent.db") as store:
                end_earlier_life(store, limits.kill_grace_s)
                instance.ready()
                log.info("ready: %s, profile %s", config.state_dir, config.profile)
                yield store, instance, stop
        except (KentError, StoreError) as error:
            log.error("%s", error)
            raise
        except Exception:
            log.exception("unexpected")
            raise


def pause_after_failures_s(rounds: Sequence[RoundRow]) -> float:
    """A minute after a failed round, doubled with each further one, an hour at most."""
    failures = 0
    for row in reversed(rounds):
        if row.status != "failed":
            break
        failures += 1
    return min(60.0 * 2 ** (min(failures, 10) - 1), 3600.0) if failures else 0.0


@contextmanager
def _clock() -> Iterator[BackgroundScheduler]:
    """A running scheduler; a wake-up that was missed, by a sleeping machine, comes late, once."""
    scheduler = BackgroundScheduler(
        timezone=UTC,
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    scheduler.start()
    try:
        yield scheduler
    finally:
        scheduler.shutdown(wait=False)
