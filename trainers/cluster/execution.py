"""Programs run by sandboxes on all nodes, behind the same interface as the sandbox here."""

import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Self

from sandbox import (
    Failure,
    Limits,
    Program,
    Sandbox,
    SandboxError,
    Verdict,
    Word,
)
from trainers.cluster.crew import Crew
from trainers.cluster.job import Job, OnProcessors, Place
from trainers.cluster.stream import Stream
from trainers.cluster_settings import ClusterConfig
from trainers.errors import ClusterError

MOST_A_UNIT = 64  # programs
UNITS_AT_ONCE = 3  # of a worker: so that its cores are busy while results travel
AHEAD = 64  # programs read and not yet handed out, for each that runs at once

Programs = tuple[Program, ...]


class SandboxWork:
    """A sandbox on this node."""

    def __init__(self, limits: Limits, level: str, place: Place) -> None:
        """The level is named: a node that has a higher one works at this one.

        Raises:
            LevelError: the level does not work here.
        """
        cores = len(os.sched_getaffinity(0))
        self.capacity = min(int(place.cpus), cores) or cores
        self._sandbox = Sandbox(workers=self.capacity, limits=limits, level=level)
        self.identity = identity_of(self._sandbox.version, self._sandbox.level)

    def do(self, unit: Programs) -> tuple[Verdict, ...]:
        """The verdicts of some programs, in no order."""
        return tuple(self._sandbox.run_many(unit))

    def close(self) -> None:
        """End the sandbox's processes."""
        self._sandbox.close()


def identity_of(version: str, level: str) -> str:
    """What verdicts are stored under, in words."""
    return f"sandbox version {version} at level {level}"


class ClusterSandbox:
    """A :class:`~sandbox.ProgramRunner` over the cluster; use as a context manager.

    It judges by the level that works on this machine, on every node; one where that level or this
    version of the sandbox is not to be had does not take part.

    Args:
        config: the cluster.
        limits: for programs that bring none.
        on_notice: told, when it is left, of nodes that were lost or refused.
    """

    def __init__(
        self, config: ClusterConfig, limits: Limits, on_notice: Callable[[str], None]
    ) -> None:
        with Sandbox(workers=1) as here:
            self.level, self.version = here.level, here.version
        self.limits, self.workers = limits, 1
        self._on_notice = on_notice
        self._crew: Crew[Programs, tuple[Verdict, ...]] = Crew(
            config, _job(config, limits, self.level, self.version)
        )

    def __enter__(self) -> Self:
        self._crew.__enter__()
        self.workers = self._crew.capacity
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._crew.close()
        for notice in self._crew.notices:
            self._on_notice(notice)

    def run_many(self, programs: Iterable[Program]) -> Iterator[Verdict]:
        """See :class:`~sandbox.ProgramRunner`; what ``programs`` raises is raised here.

        Raises:
            SandboxError: no node is left to run them.
        """
        source = _Source(self.workers, max(1, len(self._crew.hands)))
        stream = Stream(self._crew, source)
        feeder = threading.Thread(target=source.feed, args=(programs, stream.nudge), daemon=True)
        feeder.start()
        try:
            for _, verdicts in stream.results():
                yield from verdicts
        except ClusterError as error:
            raise SandboxError(str(error)) from error
        finally:
            source.stop()
        if source.error is not None:
            raise source.error


@dataclass(frozen=True)
class _End:
    """The programs are through."""


class _Source:
    """Programs as units: an iterator that gives None while none is there."""

    def __init__(self, workers: int, nodes: int) -> None:
        self.error: BaseException | None = None
        self._nodes = nodes
        self._room = threading.Semaphore(AHEAD * workers)
        self._queue: queue.SimpleQueue[Program | _End] = queue.SimpleQueue()
        self._stopped = self._ended = False

    def feed(self, programs: Iterable[Program], nudge: Callable[[], None]) -> None:
        """In a thread of its own: read the programs, as far ahead as there is room."""
        try:
            for program in programs:
                self._room.acquire()
                if self._stopped:
                    return
                self._queue.put(program)
                nudge()
        except BaseException as error:  # noqa: BLE001 - raised in the thread that takes the verdicts
            self.error = error
        self._queue.put(_End())
        nudge()

    def stop(self) -> None:
        """Nobody reads any more."""
        self._stopped = True
        self._room.release()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Programs | None:
        """Half a node's share of what waits, so that all nodes end together."""
        share = -(-self._queue.qsize() // (2 * self._nodes))
        unit = [program for _ in range(min(MOST_A_UNIT, share)) if (program := self._take())]
        if not unit and self._ended:
            raise StopIteration
        return tuple(unit) or None

    def _take(self) -> Program | None:
        """The next program that waits; only one thread takes."""
        if self._ended or self._queue.empty():
            return None
        item = self._queue.get()
        if isinstance(item, _End):
            self._ended = True
            return None
        self._room.release()
        return item


def _job(
    config: ClusterConfig, limits: Limits, level: str, version: str
) -> Job[Programs, tuple[Verdict, ...]]:
    return Job(
        name="running programs",
        identity=identity_of(version, level),
        differs="install the same version of KENT on every node",
        open=partial(SandboxWork, limits, level),
        places=OnProcessors(config),
        queued=UNITS_AT_ONCE,
        threads=UNITS_AT_ONCE,
        give_up=partial(_not_judged, level, version),
    )


def _not_judged(level: str, version: str, programs: Programs, why: str) -> tuple[Verdict, ...]:
    """What lost its node again and again is the cluster's fault, or the program brings nodes down.

    It is no verdict of the program's, and is tried again in the next round.
    """
    blank = Verdict("", Word.NOT_JUDGED, Failure(text=why), level=level, version=version)
    return tuple(replace(blank, key=program.key) for program in programs)
