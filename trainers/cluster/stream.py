"""Units of work through a crew: handed out as workers are free, results as they come."""

import queue
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic

from trainers.cluster.crew import LOOK_S, Crew, Hand, in_words
from trainers.cluster.job import Result, Unit
from trainers.cluster.worker import Broken
from trainers.errors import ClusterError


@dataclass(frozen=True)
class _Try(Generic[Unit]):
    """A unit and how often it lost its worker."""

    unit: Unit
    number: int
    lost: int = 0


@dataclass(frozen=True)
class _Ended(Generic[Unit]):
    tried: _Try[Unit]
    hand: Hand
    done: "Future[Any]"


class Stream(Generic[Unit, Result]):
    """One pass over some units; to be iterated once, by one thread."""

    def __init__(self, crew: Crew[Unit, Result], units: Iterator[Unit | None]) -> None:
        """``units`` may give None where there is none yet; then call :meth:`nudge` for the next."""
        self._crew, self._units = crew, units
        self._events: queue.SimpleQueue[_Ended[Unit] | None] = queue.SimpleQueue()
        self._flying: dict[int, Any] = {}  # the unit's number: Ray's reference to its result
        self._load: Counter[Hand] = Counter()
        self._again: deque[_Try[Unit]] = deque()
        self._given = 0
        self._more = True

    def nudge(self) -> None:
        """Look again: there is another unit, or an end; from any thread."""
        self._events.put(None)

    def results(self) -> Iterator[tuple[int, Result]]:
        """The number of each unit, in the order of reading, and its result, once each.

        Raises:
            ClusterError: a unit lost its worker too often, or nobody is left to work.
        """
        self._crew.listeners.add(self.nudge)
        try:
            while self._hand_out():
                try:
                    event = self._events.get(timeout=LOOK_S)
                except queue.Empty:
                    event = None
                self._crew.look()
                if event is not None and (found := self._taken(event)) is not None:
                    yield found
        finally:
            self._crew.listeners.discard(self.nudge)
            self._cancel()

    def _hand_out(self) -> bool:
        """Give units to those who have room; False when everything is done."""
        while (self._more or self._again) and (hand := self._free()) is not None:
            tried = self._next()
            if tried is None:
                break
            self._hand(tried, hand)
        return bool(self._more or self._again or self._flying)

    def _free(self) -> Hand | None:
        """The worker with the fewest units for what it does at once, if one has room."""
        queued = self._crew.job.queued
        free = [hand for hand in self._crew.hands if self._load[hand] < queued]
        return min(free, key=lambda hand: self._load[hand] / hand.capacity, default=None)

    def _next(self) -> _Try[Unit] | None:
        if self._again:
            return self._again.popleft()
        try:
            unit = next(self._units)
        except StopIteration:
            self._more = False
            return None
        if unit is None:
            return None
        self._given += 1
        return _Try(unit, self._given - 1)

    def _hand(self, tried: _Try[Unit], hand: Hand) -> None:
        self._load[hand] += 1
        reference = hand.actor.do.remote(tried.unit)
        self._flying[tried.number] = reference
        reference.future().add_done_callback(
            lambda done: self._events.put(_Ended(tried, hand, done))
        )

    def _taken(self, ended: _Ended[Unit]) -> tuple[int, Result] | None:
        """The result of a unit; None where its worker was lost and another one gets it."""
        import ray

        self._load[ended.hand] -= 1
        del self._flying[ended.tried.number]
        error = ended.done.exception()
        if isinstance(error, ray.exceptions.RayTaskError):
            raise error  # a fault of the program, which another node has too
        answer = Broken(in_words(error)) if error else ended.done.result()
        if not isinstance(answer, Broken):
            return ended.tried.number, answer
        self._crew.lose(ended.hand, answer.why)
        return self._once_more(ended.tried, answer.why)

    def _once_more(self, tried: _Try[Unit], why: str) -> tuple[int, Result] | None:
        job, limit = self._crew.job, self._crew.config.attempts
        if tried.lost + 1 < limit:
            self._again.append(_Try(tried.unit, tried.number, tried.lost + 1))
            return None
        if job.give_up is not None:
            return tried.number, job.give_up(tried.unit, why)
        raise ClusterError(
            f"a unit of {job.name} lost its worker {limit} times (cluster.attempts), at last "
            f"because {why}; everything that was finished is kept"
        )

    def _cancel(self) -> None:
        """What a reader left in the middle is not worked on."""
        import ray

        for reference in self._flying.values():
            ray.cancel(reference, recursive=False)
