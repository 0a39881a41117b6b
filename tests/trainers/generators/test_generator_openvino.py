"""OpenVINO with the real weights: the same promises as llama.cpp."""

from collections.abc import Iterator

import psutil
import pytest
from real_engines import CHAT, NAME, opened

from trainers.config import GeneratorConfig
from trainers.errors import GeneratorError
from trainers.generators import Message, Request, SamplingParams
from trainers.generators.engine import EngineGenerator

pytest.importorskip("openvino_genai")
pytestmark = pytest.mark.weights
PARAMS = SamplingParams(max_tokens=24, seed=1)


@pytest.fixture(scope="module")
def engines() -> list[int]:
    return []


@pytest.fixture(scope="module")
def generator(
    tmp_path_factory: pytest.TempPathFactory, engines: list[int]
) -> Iterator[EngineGenerator]:
    config = GeneratorConfig(backend="openvino", parallel=8, context=512, kv_cache_gb=1)
    with opened(config, tmp_path_factory.mktemp("openvino"), engines) as started:
        yield started


def test_id_names_what_ran(generator: EngineGenerator) -> None:
    assert generator.id == f"openvino/{NAME}-q4_k_m@1d961463/q8_0"


def test_samples_are_code_with_tokens_and_logprobs(generator: EngineGenerator) -> None:
    requests = [Request("a", CHAT, 3), Request("b", CHAT, 2)]
    got = list(generator.generate(requests, PARAMS))
    assert sorted(one.key for one in got) == ["a"] * 3 + ["b"] * 2
    assert any("def add(a, b)" in one.text for one in got)
    for one in got:
        assert 1 <= one.tokens <= 24
        assert one.logprob is not None and -200 < one.logprob < 0
        assert one.finish_reason in ("stop", "length")


def test_run_that_is_left_does_not_reach_the_next(generator: EngineGenerator) -> None:
    answers = generator.generate([Request("old", CHAT, 12)], PARAMS)
    assert next(answers).key == "old"
    answers.close()
    assert [one.key for one in generator.generate([Request("new", CHAT)], PARAMS)] == ["new"]


def test_infill_ends_where_the_gap_is_filled(generator: EngineGenerator) -> None:
    params = SamplingParams(temperature=0.0, max_tokens=64)
    (one,) = generator.infill("def add(a, b):\n    return ", "\n\nprint(add(1, 2))\n", 1, params)
    assert one.text.startswith("a + b")
    assert one.finish_reason == "stop"


def test_prompt_beyond_the_context_is_one_clear_line(
    generator: EngineGenerator, engines: list[int]
) -> None:
    chat = (Message("user", "word " * 2000),)
    with pytest.raises(GeneratorError, match=r"generator\.context") as caught:
        list(generator.generate([Request("a", chat)], PARAMS))
    assert "\n" not in str(caught.value)
    psutil.wait_procs([psutil.Process(pid) for pid in engines if psutil.pid_exists(pid)], 30)
