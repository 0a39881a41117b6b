"""The sandbox's front: programs in, verdicts out as they finish."""

import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from sandbox import cgroups
from sandbox.levels import choose
from sandbox.numpy_kind import needs_numpy, numpy_folder
from sandbox.pool import Pool
from sandbox.types import Limits, Program, Verdict

SANDBOX_VERSION = "3"
"""Changes whenever a program could get another verdict than before."""

_DEFAULTS = Limits()


class Sandbox:
    """Runs untrusted programs and says how they did; usable from several threads.

    Args:
        workers: programs that run at once; by default as many as there are cores.
        limits: for programs that bring none.
        level: ``auto`` for the highest that works here, or one of the levels by name.
        share: let programs that can touch nothing but their own share a process; the verdicts are
            the same without it.

    Raises:
        LevelError: the level does not work on this machine.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        limits: Limits = _DEFAULTS,
        level: str = "auto",
        share: bool = True,
    ) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"workers must be at least 1, not {workers}")
        self.workers = workers or len(os.sched_getaffinity(0))
        self.limits = limits
        self.level = choose(level)
        cgroups.sweep()
        self.version = SANDBOX_VERSION
        self._share = share
        self._pools: dict[str, Pool] = {}  # by the folder of numpy, "" for programs without it
        self._lock = threading.Lock()
        self._closed = False
        self._streams: set[_Stream] = set()

    def run(self, program: Program) -> Verdict:
        """Run one program."""
        return next(self.run_many([program]))

    def run_many(self, programs: Iterable[Program]) -> Iterator[Verdict]:
        """Run programs; their verdicts come as they finish, told apart by their keys.

        ``programs`` is read lazily, in a thread of its own, a few ahead of the verdicts that were
        taken; it may block. What it raises is raised here, after the verdicts of those before.
        """
        stream = _Stream(self._pool_for, window=128 * self.workers)
        self._streams.add(stream)
        try:
            yield from stream.verdicts(programs)
        finally:
            stream.cancel()
            self._streams.discard(stream)

    def cancel(self) -> None:
        """Stop all programs, running and waiting; every ``run_many`` ends. It can go on after."""
        for stream in list(self._streams):
            stream.cancel()

    def close(self) -> None:
        """Stop everything and give back every process."""
        self.cancel()
        with self._lock:
            self._closed = True
        for pool in self._pools.values():
            pool.close()

    def _pool_for(self, program: Program) -> Pool:
        """Return the pool of the program's kind; the one with numpy is started on demand."""
        folder = numpy_folder() if needs_numpy(program) else ""
        with self._lock:
            if self._closed:
                raise RuntimeError("the sandbox is closed")
            if folder not in self._pools:
                self._pools[folder] = Pool(
                    self.workers,
                    self.level,
                    self.version,
                    self.limits,
                    share=self._share,
                    numpy=folder,
                )
            return self._pools[folder]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@dataclass
class _Fed:
    """The feeder is through: how many programs it gave, and what stopped it early."""

    count: int
    error: BaseException | None


_Item = Verdict | _Fed | None


class _Stream:
    """One ``run_many``: its feeder thread, its window, its verdicts."""

    def __init__(self, pool_for: Callable[[Program], Pool], window: int) -> None:
        self._pool_for = pool_for
        self._pools: set[Pool] = set()
        self._window = threading.Semaphore(window)
        self._items: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._cancelled = False

    def verdicts(self, programs: Iterable[Program]) -> Iterator[Verdict]:
        feeder = threading.Thread(target=self._feed, args=(programs,), daemon=True)
        feeder.start()
        given: int | None = None
        taken = 0
        while not self._cancelled and (given is None or taken < given):
            item = self._items.get()
            if isinstance(item, _Fed):
                given = item.count
                if item.error is not None:
                    yield from self._rest(given - taken)
                    raise item.error
            elif isinstance(item, Verdict):
                taken += 1
                self._window.release()
                yield item

    def _rest(self, count: int) -> Iterator[Verdict]:
        while count and not self._cancelled:
            item = self._items.get()
            if isinstance(item, Verdict):
                count -= 1
                yield item

    def _feed(self, programs: Iterable[Program]) -> None:
        count, failed = 0, None
        try:
            for program in programs:
                self._window.acquire()
                if self._cancelled:
                    return
                pool = self._pool_for(program)
                self._pools.add(pool)
                pool.submit(program, self._items.put, self._wanted)
                count += 1
        except BaseException as error:  # noqa: BLE001 - handed to the thread that takes the verdicts
            failed = error
        self._items.put(_Fed(count, failed))

    def _wanted(self) -> bool:
        return not self._cancelled

    def cancel(self) -> None:
        """End the stream; what it still has running is stopped."""
        if self._cancelled:
            return
        self._cancelled = True
        self._window.release()
        self._items.put(None)
        for pool in list(self._pools):
            pool.nudge()
