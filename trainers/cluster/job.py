"""What a crew of workers is for, and where on the cluster its workers go."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from trainers.cluster.connection import Node
from trainers.cluster.worker import Work
from trainers.cluster_settings import ClusterConfig

Unit = TypeVar("Unit")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Place:
    """Room for one worker on a node, and what it takes of it."""

    node: Node
    number: int
    cpus: float
    gpus: float


@dataclass(frozen=True)
class Job(Generic[Unit, Result]):
    """One kind of work.

    Attributes:
        name: in messages.
        identity: what a worker must call itself; results of another could not be compared.
        differs: what to do on a node whose identity is another, in messages.
        open: opens the work on a node; pickled, so made of importable parts.
        places: where workers go, of the nodes that live.
        queued: units that are handed to a worker at once.
        threads: units that a worker does at once.
        give_up: the result of a unit that lost its worker too often; None: the job fails then.
    """

    name: str
    identity: str
    differs: str
    open: Callable[[Place], Work[Unit, Result]]
    places: Callable[[Sequence[Node]], list[Place]]
    queued: int
    threads: int
    give_up: Callable[[Unit, str], Result] | None = None


@dataclass(frozen=True)
class OnProcessors:
    """A worker a node, which takes the CPUs that are used on it."""

    config: ClusterConfig

    def __call__(self, nodes: Sequence[Node]) -> list[Place]:
        """One place on every node that has a CPU."""
        return [
            Place(node, 0, self.config.sandbox_cpus or node.cpus, 0) for node in nodes if node.cpus
        ]


@dataclass(frozen=True)
class OnCards:
    """As many workers as cards allow; on a cluster without any card one a node.

    They take no CPU in Ray's accounts: sampling and execution overlap on a machine, as they do
    where there is but one.
    """

    config: ClusterConfig

    def __call__(self, nodes: Sequence[Node]) -> list[Place]:
        """The places of all nodes with cards; without any, one on every node with a CPU."""
        share = self.config.gpus_per_engine
        places = [
            Place(node, number, 0, share)
            for node in nodes
            for number in range(int(node.gpus / share + 1e-9))
        ]
        return places or [Place(node, 0, 0, 0) for node in nodes if node.cpus]


AnyJob = Job[Any, Any]
