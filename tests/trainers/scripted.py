"""A generator that answers from a script, and small problems, for tests of sampling and labels."""

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from memory.records import ProblemRow, Split
from memory.store import Store
from sandbox import from_asserts, tests_hash, tests_to_json
from trainers.config import TrainerSettings
from trainers.errors import GeneratorError
from trainers.generators.base import Completion, Message, Request, SamplingParams
from trainers.stage import StageContext


@dataclass
class ScriptedGenerator:
    """Draws each completion from its problem's programs, by the seed of the call.

    ``dies_after`` completions it raises; ``delay_s`` passes before each.
    """

    programs: Mapping[str, Sequence[str]]
    id: str = "scripted/1"
    dies_after: int | None = None
    delay_s: float = 0.0
    entered: int = 0
    asked: list[tuple[str, int]] = field(default_factory=list)

    def __enter__(self) -> "ScriptedGenerator":
        self.entered += 1
        return self

    def __exit__(self, *exc: object) -> None:
        self.entered -= 1

    def generate(self, requests: Iterable[Request], params: SamplingParams) -> Iterator[Completion]:
        given = 0
        for request in requests:
            self.asked.append((request.key, request.n))
            for number in range(request.n):
                if given == self.dies_after:
                    raise GeneratorError("the engine died")
                time.sleep(self.delay_s)
                chance = random.Random(f"{params.seed}/{request.key}/{number}")
                text = f"```python\n{chance.choice(self.programs[request.key])}\n```"
                yield Completion(request.key, text, 10, -chance.random() * 10, "stop")
                given += 1

    def infill(self, prefix: str, suffix: str, n: int, params: SamplingParams):
        raise GeneratorError("scripted generators do not infill")

    def score(self, messages: Sequence[Message], completions: Sequence[str]) -> list[float]:
        raise GeneratorError("scripted generators do not score")


def adder(number: int, split: Split = "train") -> ProblemRow:
    """The problem of adding ``number``."""
    asserts = [f"assert add({x}) == {x + number}" for x in (1, 5, -3)]
    tests = from_asserts(asserts, entry_point="add")
    return ProblemRow(
        id=f"adder/{number}",
        source="adder",
        statement=f"Write a function add that adds {number}.",
        entry_point="add",
        split=split,
        tests=tests_to_json(tests),
        tests_hash=tests_hash(tests),
        visible_tests=tuple(asserts),
    )


def adder_programs(number: int) -> list[str]:
    """One that passes, and several that do not, each in its way."""
    return [
        f"def add(x):\n    return x + {number}",
        f"def add(x):\n    return x - {number} - 1",
        "def add(x):\n    return undefined",
        "def add(x:\n    return",
        f"def add(x):\n    total = {number}\n    return total + x",
    ]


def context_in(
    folder: Path, settings: TrainerSettings | None = None, **more: object
) -> StageContext:
    """A context with a store in ``folder``: the cut round is taken up again, as the daemon does."""
    store = Store.open(folder / "kent.db")
    round_id = store.open_round(seed=1, config={}, code_version="test").id
    run = store.begin_stage_run(round_id, "critic", pid=None, pid_start=None)
    return StageContext(
        store, settings or TrainerSettings(), folder, round_id, run.id, seed=1, **more
    )  # type: ignore[arg-type]
