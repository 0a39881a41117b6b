"""An engine on a node, kept full by several units at once."""

import itertools
import queue
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path

from trainers.cluster.job import Place
from trainers.errors import GeneratorError
from trainers.generators.base import Completion, Generator, Infill, Message, Request, SamplingParams

GATHER_S = 0.02  # how long an idle engine waits for company of its first request
OpenGenerator = Callable[[Path], Generator]  # told where the engine may write its log


@dataclass(frozen=True)
class Sampling:
    """Some samples, each a request for one, with its own parameters and seed."""

    requests: tuple[Request | Infill, ...]


@dataclass(frozen=True)
class Scoring:
    """Completions of one chat that are to be scored."""

    messages: tuple[Message, ...]
    completions: tuple[str, ...]


UnitOfEngine = Sampling | Scoring


@dataclass(frozen=True)
class _Sample:
    """A sample that somebody waits for."""

    request: Request | Infill
    answer: "Future[Completion]" = field(default_factory=Future)


@dataclass(frozen=True)
class _Scores:
    """A scoring that somebody waits for."""

    what: Scoring
    answer: "Future[list[float]]" = field(default_factory=Future)


class EngineWork:
    """The engine; the units that are there at once share its batch.

    One thread talks to it: a run begins when somebody asks, takes in what is asked meanwhile, and
    ends when nobody waits.
    """

    def __init__(self, open_generator: OpenGenerator, capacity: int, place: Place) -> None:
        """Start the engine.

        Raises:
            GeneratorError: it does not start.
            WeightsError: the weights are not on this node.
        """
        self._folder = tempfile.TemporaryDirectory(prefix=f"kent-engine-{place.number}-")
        self._generator = open_generator(Path(self._folder.name) / "generator.log")
        self._generator.__enter__()
        self.identity, self.capacity = self._generator.id, capacity
        self._asked: queue.SimpleQueue[_Sample | _Scores | None] = queue.SimpleQueue()
        self._put_off: _Scores | None = None  # waits for the run's end
        self._waiting: dict[str, _Sample] = {}
        self._thread = threading.Thread(target=self._serve, name="engine", daemon=True)
        self._thread.start()

    def do(self, unit: UnitOfEngine) -> list[Completion] | list[float]:
        """The completions in the order of the requests, or the scores."""
        if isinstance(unit, Scoring):
            scores = _Scores(unit)
            self._asked.put(scores)
            return scores.answer.result()
        samples = [_Sample(request) for request in unit.requests]
        for sample in samples:
            self._asked.put(sample)
        return [replace(one.answer.result(), key=one.request.key) for one in samples]

    def close(self) -> None:
        """End the engine: its memory is free when this returns."""
        self._asked.put(None)
        self._generator.__exit__(None, None, None)
        self._folder.cleanup()

    def _serve(self) -> None:
        """The one thread: runs, and between them scorings."""
        while (asked := self._next()) is not None:
            try:
                if isinstance(asked, _Scores):
                    what = asked.what
                    asked.answer.set_result(self._generator.score(what.messages, what.completions))
                else:
                    self._run(asked)
            except Exception as error:  # noqa: BLE001 - handed to those who asked
                for one in (asked, *self._waiting.values()):
                    if not one.answer.done():
                        one.answer.set_exception(error)
                self._waiting.clear()

    def _next(self) -> _Sample | _Scores | None:
        put_off, self._put_off = self._put_off, None
        return put_off or self._asked.get()

    def _run(self, first: _Sample) -> None:
        # A backend that knows no seed of a sample draws from that of the run.
        params = replace(first.request.params or SamplingParams(), seed=first.request.seed or 0)
        for completion in self._generator.generate(self._requests(first), params):
            asked = self._waiting.pop(completion.key, None)
            if asked is None:
                raise GeneratorError(
                    f"{self.identity} gave a completion that nobody asked for "
                    f"(key {completion.key!r})"
                )
            asked.answer.set_result(completion)
        if self._waiting:
            raise GeneratorError(f"{self.identity} gave fewer completions than were asked for")

    def _requests(self, first: _Sample) -> Iterator[Request | Infill | None]:
        """What is asked from now on until nobody waits; numbered, for keys may be equal."""
        asked, patience = first, GATHER_S
        for number in itertools.count():
            self._waiting[str(number)] = asked
            yield replace(asked.request, key=str(number))
            while (more := self._more(patience)) is None:
                patience = 0.0
                if not self._waiting or self._put_off:
                    return
                yield None
            asked = more

    def _more(self, patience: float) -> _Sample | None:
        """Another sample that is asked for; None: there is none at this moment."""
        if self._put_off:
            return None
        try:
            asked = self._asked.get(timeout=patience) if patience else self._asked.get_nowait()
        except queue.Empty:
            return None
        if isinstance(asked, _Scores):
            self._put_off = asked
            return None
        return asked
