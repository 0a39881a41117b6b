"""From a configuration to the right backend, or to one line that says what is missing."""

import sys
from pathlib import Path

import pytest

from trainers.config import GeneratorConfig
from trainers.errors import GeneratorError, TrainerError, WeightsError
from trainers.generators import choose_backend, factory, open_generator
from trainers.generators.base import Generator
from trainers.generators.models import MODELS

NAME = "qwen2.5-coder-0.5b-instruct"


def opened(config: GeneratorConfig, tmp_path: Path) -> Generator:
    return open_generator(
        config,
        state_dir=tmp_path / "state",
        weights_dir=tmp_path / "weights",
        log_path=tmp_path / "state" / "generator.log",
        on_engine=lambda pid, start, role: None,
    )


@pytest.fixture
def sparse_weights(tmp_path: Path) -> Path:
    """A file of the right size: enough for everything short of reading it."""
    path = tmp_path / "weights" / MODELS[NAME].file
    path.parent.mkdir()
    with path.open("wb") as file:
        file.truncate(MODELS[NAME].size)
    return path


def test_auto_without_a_card_is_llama_cpp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(()))
    assert choose_backend(GeneratorConfig()) == "llama.cpp"


def test_named_backend_is_taken() -> None:
    assert choose_backend(GeneratorConfig(backend="openai")) == "openai"
    assert choose_backend(GeneratorConfig(backend="vllm")) == "vllm"


def test_openai_needs_no_weights(tmp_path: Path) -> None:
    config = GeneratorConfig(backend="openai", model="m", base_url="http://127.0.0.1:1234/v1")
    assert opened(config, tmp_path).id == "openai/m@127.0.0.1:1234"


def test_missing_weights_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=f"kent model pull {NAME}"):
        opened(GeneratorConfig(backend="llama.cpp"), tmp_path)


def test_unknown_model_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=NAME):
        opened(GeneratorConfig(backend="llama.cpp", model="qwen2.5-coder-0.5b"), tmp_path)


def test_id_names_backend_model_quantisation_and_hash(
    tmp_path: Path, sparse_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(factory, "_require", lambda module, remedy: None)
    generator = opened(GeneratorConfig(backend="llama.cpp"), tmp_path)
    assert generator.id == f"llama.cpp/{NAME}-q4_k_m@1d961463"


def test_llama_cpp_refuses_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    with pytest.raises(GeneratorError, match="vllm backend"):
        opened(GeneratorConfig(backend="llama.cpp", model=str(folder)), tmp_path)


def test_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    with pytest.raises(WeightsError, match=r"config\.json"):
        opened(GeneratorConfig(backend="vllm", model=str(folder)), tmp_path)


@pytest.mark.parametrize("python", ["/nowhere/python", sys.executable])
def test_interpreter_without_vllm_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: str
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    if python == sys.executable:
        pytest.importorskip("xllamacpp", reason="vLLM's own environment has vLLM")
    config = GeneratorConfig(backend="vllm", model=str(folder), python=python)
    with pytest.raises(TrainerError, match=r"setup_vllm_cpu\.sh"):
        opened(config, tmp_path)


def test_missing_library_says_how_to_install_it(tmp_path: Path, sparse_weights: Path) -> None:
    with pytest.raises(GeneratorError, match="pip install"):
        factory._require("no_such_library", "pip install it")
