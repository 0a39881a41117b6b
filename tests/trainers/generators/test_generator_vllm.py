"""vLLM with the real weights, by its CPU build where there is no card (`make test-vllm`)."""

from collections.abc import Iterator

import psutil
import pytest
from real_engines import CHAT, NAME, opened

from trainers.config import GeneratorConfig
from trainers.errors import GeneratorError
from trainers.generators import Message, Request, SamplingParams
from trainers.generators.engine import EngineGenerator

# Booting the engine alone takes more than a minute on two cores.
pytestmark = [pytest.mark.vllm, pytest.mark.weights, pytest.mark.timeout(900)]
PARAMS = SamplingParams(max_tokens=24, seed=1)


@pytest.fixture(scope="module")
def engines() -> list[int]:
    return []


@pytest.fixture(scope="module")
def generator(
    tmp_path_factory: pytest.TempPathFactory, engines: list[int]
) -> Iterator[EngineGenerator]:
    config = GeneratorConfig(backend="vllm", parallel=8, context=512, kv_cache_gb=1)
    with opened(config, tmp_path_factory.mktemp("vllm"), engines) as started:
        yield started


def test_id_names_what_ran(generator: EngineGenerator) -> None:
    assert generator.id == f"vllm/{NAME}-q4_k_m@1d961463/bf16"


def test_samples_are_code_with_tokens_and_logprobs(generator: EngineGenerator) -> None:
    requests = [Request("a", CHAT, 6), Request("b", CHAT, 6)]
    got = list(generator.generate(requests, PARAMS))
    assert sorted(one.key for one in got) == ["a"] * 6 + ["b"] * 6
    assert any("def add(a, b)" in one.text for one in got)
    for one in got:
        assert 1 <= one.tokens <= 24
        assert one.logprob is not None and -200 < one.logprob < 0
        assert one.finish_reason in ("stop", "length")


def test_answers_come_as_they_finish(generator: EngineGenerator) -> None:
    def endless() -> Iterator[Request]:
        while True:
            yield Request("a", CHAT)

    answers = generator.generate(endless(), PARAMS)
    assert [next(answers).key for _ in range(3)] == ["a", "a", "a"]
    answers.close()
    # What was left is cut off, and does not reach the next run.
    assert [one.key for one in generator.generate([Request("b", CHAT)], PARAMS)] == ["b"]


def test_seed_changes_what_is_written(generator: EngineGenerator) -> None:
    def texts(seed: int) -> list[str]:
        params = SamplingParams(temperature=1.5, top_p=1.0, max_tokens=16, seed=seed)
        return sorted(one.text for one in generator.generate([Request("a", CHAT, 4)], params))

    assert texts(3) != texts(4)


def test_infill_fits_between_prefix_and_suffix(generator: EngineGenerator) -> None:
    params = SamplingParams(temperature=0.0, max_tokens=16)
    (one,) = generator.infill("def add(a, b):\n    return ", "\n\nprint(add(1, 2))\n", 1, params)
    assert "a + b" in one.text


def test_scores_prefer_what_the_model_would_write(generator: EngineGenerator) -> None:
    good = "```python\ndef add(a, b):\n    return a + b\n```"
    bad = "```python\ndef add(a, b):\n    return zebra ** umbrella\n```"
    better, worse = generator.score(CHAT, [good, bad])
    assert worse < better < 0


def test_prompt_beyond_the_context_is_an_error_and_the_engine_is_gone(
    generator: EngineGenerator, engines: list[int]
) -> None:
    chat = (Message("user", "word " * 2000),)
    with pytest.raises(GeneratorError, match=r"longer|context|length") as caught:
        list(generator.generate([Request("a", chat)], PARAMS))
    assert "\n" not in str(caught.value)
    psutil.wait_procs([psutil.Process(pid) for pid in engines if psutil.pid_exists(pid)], 30)
