"""The daemon: one process a state directory that runs rounds when they are due, until stopped.

The scheduler is only the clock that says when to look again; what is due, what was cut and what is
done is read from the store, so that a restart at any moment goes on where it was.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from kent.alerts import Alerts
from kent.config import KentConfig
from kent.errors import DaemonError, KentError
from kent.instance import Instance, Role
from kent.logs import log, set_up
from kent.pause import is_paused
from kent.processes import adopt_orphans
from kent.progress import PaceFile, ProgressView
from kent.rounds import RoundOutcome, end_earlier_life, run_round
from kent.stop import StopRequest
from kent.supervisor import Watcher
from kent.systemd import Notifier
from memory.errors import StoreError, StoreUnavailable
from memory.files import PASSING
from memory.records import RoundRow, StageRunRow
from memory.store import Store
from trainers.cards import CardReader, in_words, open_cards

_POLL_S = 0.2
_LOOK_BACK = 10  # rounds; the pause after failures is at its longest by then
_BLOCKED_MAX_S = 600.0
_CACHE_MB = 1  # of the database: this process lives long and reads little, its stages read much


@dataclass(frozen=True)
class _Life:
    """What a process that holds a state directory has in hand."""

    store: Store
    instance: Instance
    stop: StopRequest
    notifier: Notifier
    cards: CardReader


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
        with (
            _opened(self._config, "daemon", quiet=self._quiet) as life,
            Alerts(self._config.alerts, life.store) as alerts,
        ):
            if life.instance.previous and life.instance.previous.crashed:
                alerts.crashed(life.instance.previous.pid)
            return self._loop(life, alerts)

    def _loop(self, life: _Life, alerts: Alerts) -> bool:
        finished: list[str] = []
        blocked = 0
        with _clock() as scheduler:
            while not life.stop.requested and (not self._limit or len(finished) < self._limit):
                if life.stop.paused():
                    text = "paused; `kent daemon resume` goes on"
                    self._hold(life, text, lambda: not life.stop.paused())
                    continue
                due_at = self._due_at(life.store, first=not finished and not blocked)
                if due_at > time.time():
                    self._wait(scheduler, life, due_at)
                    continue
                outcome = self._round(life)
                if outcome.status == "blocked":
                    alerts.blocked(outcome.reason)
                    self._wait_for_remedy(life, outcome.reason, blocked)
                    blocked += 1
                elif outcome.status != "stopped":
                    blocked = 0
                    finished.append(outcome.status)
                    alerts.after_round(outcome)
        if life.stop.requested:
            log.info("stopped")
            return True
        log.info("through: %d rounds", len(finished))
        return all(status == "done" for status in finished)

    def _round(self, life: _Life) -> RoundOutcome:
        """One pass; a database that cannot be used just now blocks it, and ends nothing."""
        try:
            end_earlier_life(life.store, self._config.daemon.kill_grace_s)
            return _watched_round(self._config, life, quiet=self._quiet)
        except StoreUnavailable as error:
            return RoundOutcome(0, "blocked", str(error))
        except OSError as error:  # a log or the pace, on a disk that is full or read-only
            if error.errno not in PASSING:
                raise
            return RoundOutcome(0, "blocked", f"{error.filename or 'a file'}: {error.strerror}")

    def _due_at(self, store: Store, *, first: bool) -> float:
        """When the next round begins, in Unix seconds; in the past where one was cut."""
        rounds = store.last_rounds(_LOOK_BACK)
        if not rounds or rounds[-1].finished_at is None or (first and self._at_once):
            return 0.0
        pause_s = self._config.daemon.interval_minutes * 60
        # An end in the future was written before the clock was set back: it counts as now.
        ended_at = min(rounds[-1].finished_at, time.time())
        return ended_at + max(pause_s, pause_after_failures_s(rounds))

    def _wait(self, scheduler: BackgroundScheduler, life: _Life, due_at: float) -> None:
        """Sleep until the clock marks the round as due, or a stop or pause is asked for."""
        self._due.clear()
        # Whatever is done to the clock meanwhile, no wait is longer than it was to be.
        longest = time.monotonic() + due_at - time.time()
        when = datetime.fromtimestamp(due_at, UTC)
        scheduler.add_job(self._due.set, "date", run_date=when, id="round", replace_existing=True)
        life.instance.next_due(due_at)
        text = f"next round at {when.astimezone().strftime('%Y-%m-%d %H:%M:%S')}"
        log.info(text)
        life.notifier.status(text)
        while not life.stop.halting and not self._due.is_set() and time.monotonic() < longest:
            life.notifier.alive()
            time.sleep(_POLL_S)
        life.instance.next_due(None)

    def _wait_for_remedy(self, life: _Life, reason: str, times: int) -> None:
        """Wait before the round goes on, each time twice as long."""
        first_s = self._config.daemon.remedy_pause_s
        pause_s = min(first_s * 2 ** min(times, 10), max(first_s, _BLOCKED_MAX_S))
        log.error("waiting for a remedy, the next try is in %g s: %s", pause_s, reason)
        until = time.monotonic() + pause_s
        self._hold(life, f"waiting: {reason}", lambda: time.monotonic() >= until)

    def _hold(self, life: _Life, text: str, over: Callable[[], bool]) -> None:
        """Do nothing, and say why, until it is over or a stop is asked for."""
        log.info(text)
        life.instance.wait_for(text)
        life.notifier.status(text)
        while not life.stop.requested and not over():
            life.notifier.alive()
            time.sleep(_POLL_S)
        life.instance.wait_for("")


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
    with _opened(config, "round", quiet=False) as life:
        cut = life.store.current_round()
        if named and cut and cut.config.get("stages") != config.stages.model_dump(mode="json"):
            raise DaemonError(
                f"round {cut.id} was cut and has other stages; `kent round` without names ends it"
            )
        outcome = _watched_round(config, life, quiet=False)
        if outcome.status == "blocked":
            log.error("round %d waits for a remedy: %s", outcome.round_id, outcome.reason)
        return outcome


def _watched_round(config: KentConfig, life: _Life, *, quiet: bool) -> RoundOutcome:
    if quiet:
        return _run(config, life, PaceFile(config.state_dir))
    with ProgressView(config.state_dir) as view:
        return _run(config, life, view)


def _run(config: KentConfig, life: _Life, show: Watcher) -> RoundOutcome:
    def watch(row: StageRunRow) -> None:
        show(row)
        life.notifier.watch(row)

    return run_round(life.store, config, life.stop, watch, life.notifier.alive, life.cards)


@contextmanager
def _opened(config: KentConfig, role: Role, *, quiet: bool) -> Iterator[_Life]:
    """The state directory held, its log open, what an earlier life left behind ended."""
    limits = config.daemon
    notifier = Notifier.from_environment()
    pausing = (lambda: is_paused(config.state_dir)) if role == "daemon" else (lambda: False)
    with Instance(config.state_dir, role) as instance, StopRequest(pausing) as stop:
        set_up(config.state_dir, max_mb=limits.log_max_mb, keep=limits.log_keep, stderr=not quiet)
        if instance.previous and instance.previous.crashed:
            log.warning("the process before (pid %d) had crashed", instance.previous.pid)
        adopt_orphans()
        try:
            with Store.open(config.state_dir / "kent.db", cache_mb=_CACHE_MB) as store:
                end_earlier_life(store, limits.kill_grace_s)
                instance.ready()
                notifier.ready()
                cards = open_cards(log.warning)
                here = (config.state_dir, config.profile, in_words(cards))
                log.info("ready: %s, profile %s, %s", *here)
                yield _Life(store, instance, stop, notifier, cards)
        except (KentError, StoreError) as error:
            log.error("%s", error)
            raise
        except Exception:
            log.exception("unexpected")
            raise
        finally:
            notifier.stopping()


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
        executors={"default": ThreadPoolExecutor(1)},  # by default ten threads, one after another
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    scheduler.start()
    try:
        yield scheduler
    finally:
        scheduler.shutdown(wait=False)
