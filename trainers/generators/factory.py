"""From the configuration to a generator: which backend, which interpreter, which weights."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

from trainers.config import GeneratorConfig
from trainers.errors import GeneratorError
from trainers.generators.base import Generator
from trainers.generators.engine import EngineGenerator, OnEnded, OnEngine
from trainers.generators.weights import find_weights, identity, sha256_of

Backend = Literal["llama.cpp", "openvino", "vllm", "openai"]


def open_generator(
    config: GeneratorConfig,
    *,
    state_dir: Path,
    weights_dir: Path,
    log_path: Path,
    on_engine: OnEngine,
    on_ended: OnEnded = lambda: None,
) -> Generator:
    """The configured generator, not started yet: entering it starts the engine.

    Raises:
        WeightsError: the weights are missing.
        GeneratorError: the backend is not installed.
    """
    backend = choose_backend(config)
    if backend == "openai":
        from trainers.generators.openai_server import OpenAIGenerator

        return OpenAIGenerator(
            base_url=config.base_url,
            model=config.model,
            api_key=os.environ.get(config.api_key_env, ""),
            parallel=config.parallel,
            timeout_s=config.request_timeout_s,
        )
    found = _found(config, backend, weights_dir)
    return EngineGenerator(
        f"{backend}/{found.name}",
        python=found.python,
        engine={
            "backend": backend,
            "model": str(found.model.resolve()),
            "parallel": config.parallel,
            "context": config.context,
            "threads": config.threads,
            "logprobs": config.logprobs,
            "gpu_memory": config.gpu_memory,
            "kv_cache_gb": config.kv_cache_gb,
        },
        env=found.env,
        parallel=config.parallel,
        timeout_s=config.request_timeout_s,
        log_path=log_path,
        on_engine=on_engine,
        on_ended=on_ended,
    )


class _Found(NamedTuple):
    """What an engine runs on; ``name`` says how the weights are stored when it reads them."""

    name: str
    model: Path
    python: str = sys.executable
    env: Mapping[str, str] = MappingProxyType({})


def _found(config: GeneratorConfig, backend: Backend, weights_dir: Path) -> _Found:
    name = identity(config.model, weights_dir)
    if backend == "vllm":
        from trainers.generators.folder import hf_folder

        folder = hf_folder(config.model, weights_dir)
        return _Found(f"{name}/bf16", folder, _vllm_python(config), _vllm_environment(config))
    path = find_weights(config.model, weights_dir)
    if path.is_dir():
        raise GeneratorError(f"{path}: {backend} reads GGUF files; use the vllm backend")
    if backend == "openvino":
        from trainers.generators.requantise import as_q8_0

        _require("openvino_genai", "pip install -c constraints.txt -e '.[openvino]'")
        return _Found(f"{name}/q8_0", as_q8_0(path, sha256_of(config.model, path)))
    _require("xllamacpp", "pip install -c constraints.txt -e '.[llamacpp]'")
    return _Found(name, path)


def choose_backend(config: GeneratorConfig) -> Backend:
    """The backend that ``auto`` means here: vLLM where it is installed and there is a card."""
    if config.backend != "auto":
        return config.backend
    has_card = any(Path("/dev").glob("nvidia[0-9]*"))
    return "vllm" if has_card and importlib.util.find_spec("vllm") else "llama.cpp"


def _require(module: str, remedy: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise GeneratorError(f"{module} is not installed here: {remedy}")


def _vllm_python(config: GeneratorConfig) -> str:
    """The interpreter that has vLLM: the configured one, this one, or ``.venv-vllm``'s."""
    if config.python:
        python = config.python
    elif importlib.util.find_spec("vllm"):
        return sys.executable
    else:
        python = str(Path(__file__).resolve().parents[2] / ".venv-vllm" / "bin" / "python")
    try:
        found = subprocess.run(
            [python, "-c", "import importlib.util as u; print(bool(u.find_spec('vllm')))"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()
    except OSError:
        found = ""
    if found != "True":
        raise GeneratorError(
            f"{python} has no vLLM; `scripts/setup_vllm_cpu.sh` makes .venv-vllm for a CPU, "
            "`pip install -c constraints.txt -e '.[vllm]'` installs it for a card, and "
            "generator.python names another interpreter"
        )
    return python


def _vllm_environment(config: GeneratorConfig) -> dict[str, str]:
    """What vLLM's CPU build must be told: its cores and the memory of its cache."""
    cores = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    return {
        "VLLM_CPU_OMP_THREADS_BIND": cores,
        "VLLM_CPU_KVCACHE_SPACE": str(max(1, round(config.kv_cache_gb))),
        "VLLM_LOGGING_LEVEL": "WARNING",
    }
