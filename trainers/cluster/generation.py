"""Engines on all nodes, one a card, behind the same interface as the generator here."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from trainers.cluster.crew import Crew
from trainers.cluster.engine_work import (
    EngineWork,
    OpenGenerator,
    Sampling,
    Scoring,
    UnitOfEngine,
)
from trainers.cluster.job import Job, OnCards
from trainers.cluster.stream import Stream
from trainers.cluster_settings import ClusterConfig
from trainers.errors import ClusterError, GeneratorError
from trainers.generators.base import (
    Completion,
    Generator,
    Infill,
    Message,
    Request,
    SamplingParams,
    one_by_one,
)
from trainers.problem_sets import derived_seed

SAMPLES_A_UNIT = 4


class ClusterGenerator:
    """A :class:`~trainers.generators.base.Generator` over the engines of a cluster.

    A sample's seed is fixed by the call's seed, its request's key and its number, not by the engine
    that it meets: where an engine repeats by seed, so does the cluster, whatever node is lost.

    Args:
        config: the cluster.
        generator_id: of the generator here; an engine with another one does not take part.
        open_generator: opens it on a node, not entered; pickled.
        parallel: samples that an engine has in flight.
        on_notice: told, when it is left, of nodes that were lost or refused.
    """

    def __init__(
        self,
        config: ClusterConfig,
        generator_id: str,
        open_generator: OpenGenerator,
        parallel: int,
        on_notice: Callable[[str], None],
    ) -> None:
        self.id = generator_id
        self._on_notice = on_notice
        units = -(-(parallel + max(2, parallel // 4)) // SAMPLES_A_UNIT)
        self._crew: Crew[UnitOfEngine, Any] = Crew(
            config,
            Job(
                name="generation",
                identity=generator_id,
                differs="put the same weights and the same version of KENT on every node",
                open=partial(EngineWork, open_generator, parallel),
                places=OnCards(config),
                queued=units,
                threads=units,
            ),
        )

    def __enter__(self) -> Generator:
        try:
            self._crew.__enter__()
        except ClusterError as error:
            raise GeneratorError(str(error)) from error
        return self

    def __exit__(self, *exc: object) -> None:
        self._crew.close()
        for notice in self._crew.notices:
            self._on_notice(notice)

    def generate(
        self, requests: Iterable[Request | Infill | None], params: SamplingParams
    ) -> Iterator[Completion]:
        """See :class:`~trainers.generators.base.Generator`."""
        for completions in self._results(units_of(requests, params)):
            yield from completions

    def infill(
        self, prefix: str, suffix: str, n: int, params: SamplingParams
    ) -> Iterator[Completion]:
        """See :class:`~trainers.generators.base.Generator`."""
        yield from self.generate([Infill("infill", prefix, suffix, n)], params)

    def score(self, messages: Sequence[Message], completions: Sequence[str]) -> list[float]:
        """See :class:`~trainers.generators.base.Generator`; one engine does it."""
        found: list[float] = next(
            self._results(iter([Scoring(tuple(messages), tuple(completions))]))
        )
        return found

    def _results(self, units: Iterator[UnitOfEngine | None]) -> Iterator[Any]:
        try:
            for _, result in Stream(self._crew, units).results():
                yield result
        except ClusterError as error:
            raise GeneratorError(str(error)) from error


def units_of(
    requests: Iterable[Request | Infill | None], params: SamplingParams
) -> Iterator[Sampling | None]:
    """Each sample a request of its own with its own seed; some of them are one unit."""
    numbers: Counter[str] = Counter()
    unit: list[Request | Infill] = []
    for request in one_by_one(requests):
        if request is not None:
            number = numbers[request.key]
            numbers[request.key] += 1
            seed = request.seed
            if seed is None:
                seed = derived_seed(params.seed, "sample", request.key, number)
            own = request.params or params
            unit.append(replace(request, n=1, params=own, seed=seed))
        if unit and (request is None or len(unit) == SAMPLES_A_UNIT):
            yield Sampling(tuple(unit))
            unit = []
        elif request is None:
            yield None
    if unit:
        yield Sampling(tuple(unit))
