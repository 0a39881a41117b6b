"""One generator for many who ask at once: what they ask in the same moment is one batch."""

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from trainers.errors import GeneratorError
from trainers.generators.base import Completion, Generator, Infill, Request, SamplingParams

GATHER_S = 0.02
"""How long the first who asks waits for others: they come from the batch that has just ended."""


@dataclass
class _Ask:
    requests: Sequence[Request | Infill]
    params: SamplingParams
    answer: "Future[list[Completion]]"


class PooledGenerator:
    """Threads ask with :meth:`write`; one thread reads the generator, batch by batch.

    Use as a context manager, inside of the generator's own. The seed of a batch is that of who
    asked first.
    """

    def __init__(self, generator: Generator) -> None:
        """``generator`` is entered already."""
        self.id = generator.id
        self._generator = generator
        self._asks: queue.SimpleQueue[_Ask | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="pooled generator", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._asks.put(None)
        self._thread.join()

    def write(
        self, requests: Sequence[Request | Infill], params: SamplingParams
    ) -> list[Completion]:
        """All completions of some requests, each of one sample, in their order.

        Raises:
            GeneratorError: the generator failed; everybody in the batch is told.
        """
        ask = _Ask(requests, params, Future())
        self._asks.put(ask)
        return ask.answer.result()

    def _serve(self) -> None:
        while (first := self._asks.get()) is not None:
            asks, end = [first], False
            try:
                while (more := self._asks.get(timeout=GATHER_S)) is not None:
                    asks.append(more)
                end = True
            except queue.Empty:
                pass
            self._answer(asks)
            if end:
                return

    def _answer(self, asks: list[_Ask]) -> None:
        numbered = [
            replace(request, key=f"{number}/{place}", n=1, params=request.params or ask.params)
            for number, ask in enumerate(asks)
            for place, request in enumerate(ask.requests)
        ]
        try:
            found = {one.key: one for one in self._generator.generate(numbered, asks[0].params)}
            for number, ask in enumerate(asks):
                places = range(len(ask.requests))
                answers = [found.get(f"{number}/{place}") for place in places]
                if None in answers:
                    raise GeneratorError(f"{self.id} gave fewer completions than were asked for")
                ask.answer.set_result([one for one in answers if one is not None])
        except Exception as error:  # noqa: BLE001 - handed to those who asked
            for ask in asks:
                if not ask.answer.done():
                    ask.answer.set_exception(error)
