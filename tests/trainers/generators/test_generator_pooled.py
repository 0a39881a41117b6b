"""One generator for many who ask at once: everybody gets his own answers, failures reach all."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from trainers.errors import GeneratorError
from trainers.generators.base import Completion, Infill, Message, Request, SamplingParams
from trainers.generators.pooled import PooledGenerator


@dataclass
class Echo:
    """Answers with what it was asked; counts its batches."""

    id: str = "echo"
    batches: list[int] = field(default_factory=list)
    fails: bool = False
    short: bool = False

    def generate(self, requests, params):
        self.batches.append(len(requests))
        for request in list(reversed(requests))[self.short :]:
            if self.fails:
                raise GeneratorError("dead")
            own = request.params.max_tokens
            text = request.prefix if isinstance(request, Infill) else request.messages[0].content
            yield Completion(request.key, f"{text}/{own}", 1, None, "stop")


def ask(text: str) -> Request:
    return Request("any", (Message("user", text),))


def test_each_gets_his_answers_in_his_order_with_his_parameters():
    echo = Echo()
    with PooledGenerator(echo) as pool, ThreadPoolExecutor(8) as threads:
        asked = [
            threads.submit(
                pool.write, [ask(f"{n}a"), Infill("x", f"{n}b", "")], SamplingParams(max_tokens=n)
            )
            for n in range(1, 9)
        ]
        for n, future in enumerate(asked, start=1):
            assert [one.text for one in future.result()] == [f"{n}a/{n}", f"{n}b/{n}"]
    assert sum(echo.batches) == 16


def test_a_failure_reaches_those_who_asked_and_the_next_is_served():
    echo = Echo(fails=True)
    with PooledGenerator(echo) as pool:
        with pytest.raises(GeneratorError, match="dead"):
            pool.write([ask("a")], SamplingParams())
        echo.fails = False
        assert pool.write([ask("a")], SamplingParams(max_tokens=3))[0].text == "a/3"


def test_an_answer_that_is_missing_is_told():
    with (
        PooledGenerator(Echo(short=True)) as pool,
        pytest.raises(GeneratorError, match="fewer completions"),
    ):
        pool.write([ask("a"), ask("b")], SamplingParams())
