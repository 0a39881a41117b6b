"""What the tests let workers do; importable on the nodes."""

import os
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from scripted import adder_programs

from scripts.ray_nodes import OTHER
from trainers.cluster.job import Job, OnCards, Place
from trainers.cluster_settings import ClusterConfig
from trainers.errors import GeneratorError
from trainers.generators.base import Completion, Infill, Message, Request, SamplingParams


class Squares:
    """Squares numbers; -1 ends the process, -2 is a fault of the program."""

    capacity = 1

    def __init__(self, names: dict[str, str], place: Place) -> None:
        """``names``: the identity by a part of the node's name, else ``squares``."""
        found = [identity for part, identity in names.items() if part in place.node.name]
        self.identity = found[0] if found else "squares"

    def do(self, unit: int) -> int:
        if unit == -1:
            os._exit(1)
        if unit == -2:
            raise KeyError("a fault of the program")
        time.sleep(0.01)
        return unit * unit

    def close(self) -> None:
        pass


def squares(
    config: ClusterConfig,
    names: dict[str, str] | None = None,
    give_up: Callable[[int, str], int] | None = None,
) -> Job[int, int]:
    return Job(
        name="squaring", identity="squares", differs="square alike",
        open=partial(Squares, names or {}), places=OnCards(config), queued=3, threads=1,
        give_up=give_up,
    )  # fmt: skip


@dataclass
class Engine:
    """Writes an adder by the sample's seed; handles one request at a time."""

    delay_s: float = 0.0
    dies_after: int = -1
    id: str = "seeded/1"

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def generate(
        self, requests: Iterable[Request | Infill | None], params: SamplingParams
    ) -> Iterator[Completion]:
        for request in requests:
            if request is None:
                continue
            for number in range(request.n):
                if self.dies_after == 0:
                    raise GeneratorError("the engine died")
                self.dies_after -= 1
                time.sleep(self.delay_s)
                text = request.prefix if isinstance(request, Infill) else str(request.messages)
                yield written(request.key, text, request.seed or number)

    def infill(self, prefix: str, suffix: str, n: int, params: SamplingParams):
        yield from self.generate([Infill("infill", prefix, suffix, n)], params)

    def score(self, messages: Sequence[Message], completions: Sequence[str]) -> list[float]:
        return [-float(len(text)) for text in completions]


def written(key: str, prompt: str, seed: int) -> Completion:
    """One of the programs of ``adder(N)``, with a remark that makes most of them distinct."""
    found = re.search(r"adds (-?\d+)", prompt)
    assert found, prompt
    chance = random.Random(seed)
    program = chance.choice(adder_programs(int(found[1])))
    text = f"```python\n{program}\n# {chance.randrange(40)}\n```"
    return Completion(key, text, 10, -chance.random(), "stop")


def open_engine(log_path: Path, *, delay_s: float = 0.0) -> Engine:
    return Engine(delay_s)


def open_engine_that_dies(log_path: Path, *, marker: Path) -> Engine:
    """The first engine that is opened dies after a few samples, later ones do not."""
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return Engine()
    return Engine(dies_after=7)


__all__ = ["OTHER", "Engine", "Squares", "open_engine", "squares"]
