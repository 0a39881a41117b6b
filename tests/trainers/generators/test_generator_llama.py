"""llama.cpp with the real weights: what it writes, what it counts, and how it ends."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from real_engines import CHAT, NAME, opened, weights_dir

from trainers.config import GeneratorConfig
from trainers.errors import GeneratorError
from trainers.generators import Message, Request, SamplingParams
from trainers.generators.engine import EngineGenerator
from trainers.generators.openai_server import OpenAIGenerator
from trainers.generators.weights import find_weights

pytest.importorskip("xllamacpp")
pytestmark = pytest.mark.weights
CONFIG = GeneratorConfig(backend="llama.cpp", parallel=4, context=512)
PARAMS = SamplingParams(max_tokens=24, seed=1)


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineGenerator]:
    with opened(CONFIG, tmp_path_factory.mktemp("llama"), []) as started:
        yield started


def test_samples_are_code_with_tokens_and_logprobs(generator: EngineGenerator) -> None:
    requests = [Request("a", CHAT, 3), Request("b", CHAT, 1)]
    got = list(generator.generate(requests, PARAMS))
    assert sorted(one.key for one in got) == ["a", "a", "a", "b"]
    assert any("def add(a, b)" in one.text for one in got)
    for one in got:
        assert 1 <= one.tokens <= 24
        assert one.logprob is not None and -200 < one.logprob < 0
        assert one.finish_reason in ("stop", "length")


def test_greedy_answers_are_alike_and_warm_ones_differ(generator: EngineGenerator) -> None:
    cold = SamplingParams(temperature=0.0, max_tokens=16)
    assert len({one.text for one in generator.generate([Request("a", CHAT, 2)], cold)}) == 1
    hot = SamplingParams(temperature=1.5, top_p=1.0, max_tokens=16)
    assert len({one.text for one in generator.generate([Request("a", CHAT, 3)], hot)}) > 1


def test_infill_fits_between_prefix_and_suffix(generator: EngineGenerator) -> None:
    params = SamplingParams(temperature=0.0, max_tokens=16)
    (one,) = generator.infill("def add(a, b):\n    return ", "\n\nprint(add(1, 2))\n", 1, params)
    assert "a + b" in one.text


def test_scores_are_refused_with_the_backend_that_can(tmp_path: Path) -> None:
    with (
        opened(CONFIG, tmp_path, []) as generator,
        pytest.raises(GeneratorError, match="vllm can"),
    ):
        generator.score(CHAT, ["x"])


def test_prompt_beyond_the_context_is_one_clear_line(tmp_path: Path) -> None:
    chat = (Message("user", "word " * 6000),)
    with (
        opened(CONFIG, tmp_path, []) as generator,
        pytest.raises(GeneratorError, match="context") as caught,
    ):
        list(generator.generate([Request("a", chat)], PARAMS))
    assert "\n" not in str(caught.value)


def test_killed_engine_is_an_error_and_what_came_stays(tmp_path: Path) -> None:
    engines: list[int] = []
    with opened(CONFIG, tmp_path, engines) as generator:
        answers = generator.generate([Request("a", CHAT, 40)], PARAMS)
        assert next(answers).key == "a"
        psutil.Process(engines[0]).kill()
        with pytest.raises(GeneratorError, match="exit code -9"):
            list(answers)
    assert not psutil.pid_exists(engines[0])


def test_left_in_the_middle_it_ends_at_once(tmp_path: Path) -> None:
    engines: list[int] = []
    with opened(CONFIG, tmp_path, engines) as generator:
        answers = generator.generate([Request("a", CHAT, 40)], SamplingParams(max_tokens=400))
        time.sleep(0.5)
        began = time.monotonic()
        answers.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 10
    assert not psutil.pid_exists(engines[0])


SERVER = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.n_ctx, params.n_parallel = sys.argv[1], 1024, 2
params.warmup = params.ui = params.fit_params = False
params.verbosity = 0
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


def test_openai_backend_against_a_real_server() -> None:
    command = [sys.executable, "-c", SERVER, str(find_weights(NAME, weights_dir()))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        address = server.stdout.readline().decode().strip()
        generator = OpenAIGenerator(
            base_url=f"{address}/v1", model=NAME, api_key="", parallel=2, timeout_s=120
        )
        with generator:
            got = list(generator.generate([Request("a", CHAT, 2)], PARAMS))
        server.kill()
    assert [one.key for one in got] == ["a", "a"]
    assert all(one.tokens > 0 and one.logprob is not None and one.logprob < 0 for one in got)
    assert "def" in got[0].text
