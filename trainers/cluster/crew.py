"""Workers on the nodes of the cluster: started, given units of work, replaced when they are lost.

A unit whose worker is lost (its node died, its process was killed, its engine broke) is given to
another one, a bounded number of times. Its result is taken once: that of the attempt that ended.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Generic, Self

from trainers.cluster.connection import connect, living_nodes
from trainers.cluster.job import Job, Place, Result, Unit
from trainers.cluster.worker import Broken, Opened, Worker
from trainers.cluster_settings import ClusterConfig
from trainers.errors import ClusterError

log = logging.getLogger("cluster")

RESTARTS = 2  # of a worker on the same place
CLOSE_S = 20.0
LOOK_S = 5.0  # how often it is looked for nodes that came


@dataclass(frozen=True, eq=False)
class Hand:
    """A worker that is ready, at its place; ``capacity`` as it said."""

    actor: Any
    place: Place
    capacity: int


@dataclass(frozen=True, eq=False)
class _Starting:
    actor: Any
    place: Place
    since: float = field(default_factory=time.monotonic)


class Crew(Generic[Unit, Result]):
    """The workers of one job. Use as a context manager; thread-safe.

    Raises, when entered:
        ClusterError: the cluster cannot be reached, or no node of it can do the work.
    """

    def __init__(self, config: ClusterConfig, job: Job[Unit, Result]) -> None:
        self.config, self.job = config, job
        self.notices: list[str] = []  # what went wrong and was coped with
        self.listeners: set[Callable[[], None]] = set()  # called when a worker comes or goes
        self._changed = threading.Condition()
        self._hands: list[Hand] = []
        self._starting: set[_Starting] = set()
        self._starts: Counter[tuple[str, int]] = Counter()
        self._refused: dict[str, str] = {}  # by node id, for good
        self._looked = 0.0

    def __enter__(self) -> Self:
        connect(self.config)
        try:
            self._look_around()
            with self._changed:
                while self._starting:
                    self._changed.wait(1.0)
                    self._end_of_patience()
                if not self._hands:
                    raise self._nobody()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers: what they had open is closed when this returns."""
        import ray

        with self._changed:
            hands, self._hands = self._hands, []
            actors = [hand.actor for hand in hands] + [one.actor for one in self._starting]
            self._starting.clear()
        ends = [hand.actor.close.remote() for hand in hands]
        if ends:
            ray.wait(ends, num_returns=len(ends), timeout=CLOSE_S)
        for actor in actors:
            ray.kill(actor)

    @property
    def hands(self) -> list[Hand]:
        """The workers that are ready.

        Raises:
            ClusterError: there is none, and none is starting.
        """
        with self._changed:
            if not self._hands and not self._starting:
                raise self._nobody()
            return list(self._hands)

    @property
    def capacity(self) -> int:
        """Of all workers that are ready."""
        with self._changed:
            return sum(hand.capacity for hand in self._hands)

    def lose(self, hand: Hand, why: str) -> None:
        """A worker is of no more use; another one is started where there is room."""
        import ray

        with self._changed:
            if hand not in self._hands:
                return
            self._hands.remove(hand)
            self._tell(f"lost a worker on {hand.place.node.name}: {why}")
            self._notify()
        ray.kill(hand.actor)
        self._look_around()

    def look(self) -> None:
        """From time to time: start workers on nodes that came, end those that do not come up."""
        if time.monotonic() - self._looked >= LOOK_S:
            with self._changed:
                self._end_of_patience()
            self._look_around()

    def _look_around(self) -> None:
        """Start a worker at every place that has none, a bounded number of times for each."""
        self._looked = time.monotonic()
        places = self.job.places(living_nodes())
        with self._changed:
            taken = [hand.place for hand in self._hands] + [one.place for one in self._starting]
            there = {(place.node.id, place.number) for place in taken}
            for place in places:
                at = (place.node.id, place.number)
                if at in there or place.node.id in self._refused or self._starts[at] > RESTARTS:
                    continue
                self._starts[at] += 1
                self._start(place)

    def _start(self, place: Place) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        actor = (
            ray.remote(Worker)
            .options(
                num_cpus=place.cpus,
                num_gpus=place.gpus,
                max_concurrency=self.job.threads,
                max_restarts=0,
                max_task_retries=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(place.node.id, soft=False),
            )
            .remote()
        )
        starting = _Starting(actor, place)
        self._starting.add(starting)
        future = actor.open.remote(partial(self.job.open, place)).future()
        future.add_done_callback(lambda done: self._opened(starting, done))

    def _opened(self, starting: _Starting, done: "Future[Any]") -> None:
        """In a thread of Ray's: a worker is ready, or says why not, or died."""
        error, place = done.exception(), starting.place
        answer: Opened | Broken = Broken(in_words(error)) if error else done.result()
        with self._changed:
            if starting not in self._starting:
                return  # closed, or given up on
            self._starting.remove(starting)
            if isinstance(answer, Opened) and answer.identity == self.job.identity:
                self._hands.append(Hand(starting.actor, place, answer.capacity))
            else:
                why = self._why_not(answer)
                if error is None:
                    self._refused[place.node.id] = why
                self._tell(f"not done on {place.node.name}: {why}")
            self._notify()

    def _why_not(self, answer: Opened | Broken) -> str:
        if isinstance(answer, Broken):
            return answer.why
        return (
            f"it has {answer.identity}, but here it is {self.job.identity}, and results could not "
            f"be compared: {self.job.differs}"
        )

    def _end_of_patience(self) -> None:
        """Give up on workers that do not come up."""
        import ray

        limit = self.config.start_timeout_s
        for late in [one for one in self._starting if time.monotonic() - one.since > limit]:
            self._starting.remove(late)
            ray.kill(late.actor)
            why = (
                f"no worker came up within cluster.start_timeout_s = {limit:g} s; `ray status` "
                "shows whether others hold its CPUs or cards"
            )
            self._refused[late.place.node.id] = why
            self._tell(f"not done on {late.place.node.name}: {why}")
            self._notify()

    def _notify(self) -> None:
        self._changed.notify_all()
        for listener in list(self.listeners):
            listener()

    def _tell(self, notice: str) -> None:
        log.warning("%s", notice)
        self.notices.append(f"{self.job.name}: {notice}")

    def _nobody(self) -> ClusterError:
        told = "; ".join(dict.fromkeys(self.notices)) or (
            "no node has what it needs (CPUs, or cluster.gpus_per_engine cards); `ray status` "
            "shows what there is"
        )
        return ClusterError(f"no node of the cluster is left for {self.job.name}: {told}")


def in_words(error: BaseException) -> str:
    """What Ray says of a worker that ended, in one line."""
    import ray

    if isinstance(error, ray.exceptions.RayTaskError):
        return f"{type(error.cause).__name__}: {error.cause}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
