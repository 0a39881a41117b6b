"""Features computed on all nodes of a cluster, behind the interface of one feature source."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from trainers.cluster.crew import Crew
from trainers.cluster.job import Job, OnCards, Place
from trainers.cluster.stream import Stream
from trainers.cluster_settings import ClusterConfig
from trainers.critic.features import FeatureSource
from trainers.generators.base import Message


@dataclass(frozen=True)
class Programs:
    """A unit: the programs behind one prompt."""

    prompt: tuple[Message, ...]
    codes: tuple[str, ...]


class FeatureWork:
    """The feature model on this node."""

    capacity = 1

    def __init__(self, open_source: Callable[[], FeatureSource], place: Place) -> None:
        """Load the model.

        Raises:
            WeightsError: it is not on this node.
        """
        self._source = open_source()
        self.identity = self._source.id
        self._source.__enter__()

    def do(self, unit: Programs) -> Tensor:
        """(len(unit.codes), dim) float32."""
        return self._source.extract(unit.prompt, unit.codes)

    def close(self) -> None:
        """Free the model's memory."""
        self._source.__exit__(None, None, None)


class SpreadFeatures:
    """A :class:`~trainers.critic.features.FeatureSource` that many nodes compute.

    Args:
        config: the cluster.
        here: the same source on this machine, which is not entered; its ``id`` must be that of the
            nodes' (same weights, same number format).
        open_source: opens it on a node, not entered; pickled.
        on_notice: told, when it is left, of nodes that were lost or refused.
    """

    def __init__(
        self,
        config: ClusterConfig,
        here: FeatureSource,
        open_source: Callable[[], FeatureSource],
        on_notice: Callable[[str], None],
    ) -> None:
        self.id, self.dim = here.id, here.dim
        self._here, self._on_notice = here, on_notice
        self._crew: Crew[Programs, Tensor] = Crew(
            config,
            Job(
                name="features",
                identity=here.id,
                differs="the nodes need the same weights, and cards or processors of one kind",
                open=partial(FeatureWork, open_source),
                places=OnCards(config),
                queued=2,
                threads=1,
            ),
        )

    def __enter__(self) -> FeatureSource:
        self._crew.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._crew.close()
        for notice in self._crew.notices:
            self._on_notice(notice)

    def extract(self, prompt: Sequence[Message], codes: Sequence[str]) -> Tensor:
        """(len(codes), dim) float32, by one node."""
        found = [vectors for _, vectors in self.extract_many([(prompt, codes)])]
        return torch.cat(found)

    def extract_many(
        self, units: Iterable[tuple[Sequence[Message], Sequence[str]]]
    ) -> Iterator[tuple[int, Tensor]]:
        """The number of each unit and its vectors as they come; ``units`` is read as nodes free.

        Raises:
            ClusterError: no node is left.
        """
        sent = (Programs(tuple(prompt), tuple(codes)) for prompt, codes in units)
        return Stream(self._crew, sent).results()

    def columns(self, pooling: str) -> list[int]:
        """See :class:`~trainers.critic.features.FeatureSource`."""
        return self._here.columns(pooling)
