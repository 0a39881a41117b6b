"""What works on this box and what does not, for a person and as JSON."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil

from kent.config import KentConfig
from kent.disk import free_bytes, in_words
from memory.errors import StoreError

Word = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """One thing looked at. ``fail``: no round can run; ``warn``: something is missing or slow."""

    name: str
    status: Word
    message: str
    data: dict[str, Any] = field(default_factory=dict)


def examine(config: KentConfig) -> list[Check]:
    """All checks; each one reports its own trouble and hinders no other."""
    looks: list[Callable[[KentConfig], Check]] = [
        _machine, _gpu, _backend, _weights, _sandbox, _cluster, _disk, _database, _data,
    ]  # fmt: skip
    return [look(config) for look in looks]


def to_json(checks: list[Check]) -> dict[str, Any]:
    """The document of ``kent doctor --json``."""
    failed = any(check.status == "fail" for check in checks)
    return {"ok": not failed, "checks": [asdict(check) for check in checks]}


def in_lines(checks: list[Check]) -> list[str]:
    """One line a check."""
    return [f"{check.status:4}  {check.name:9} {check.message}" for check in checks]


def _machine(config: KentConfig) -> Check:
    cores = len(psutil.Process().cpu_affinity()) if sys.platform == "linux" else os.cpu_count()
    ram = psutil.virtual_memory().total
    message = f"Python {sys.version.split()[0]}, {cores} cores, {in_words(ram)} of memory"
    data = {"cores": cores, "memory_bytes": ram, "python": sys.version.split()[0]}
    return Check("machine", "ok" if ram > 3 * 2**30 else "warn", message, data)


def _gpu(config: KentConfig) -> Check:
    wanted: Word = "fail" if config.generator.backend == "vllm" else "ok"
    found = nvidia_gpus()
    if found:
        names = ", ".join(f"{gpu['name']} ({gpu['memory_mb']} MB)" for gpu in found)
        hint = "" if config.profile == "gpu" else '; profile = "gpu" uses it'
        return Check("gpu", "ok", names + hint, {"gpus": found})
    message = "none: the processor does the work"
    return Check("gpu", "warn" if wanted == "fail" else "ok", message, {"gpus": []})


def nvidia_gpus() -> list[dict[str, Any]]:
    """Name and memory, in MB, of each NVIDIA card; empty where the driver is not there."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = [line.rpartition(",") for line in done.stdout.splitlines() if done.returncode == 0]
    return [
        {"name": name.strip(), "memory_mb": int(memory)}
        for name, _, memory in rows
        if memory.strip().isdigit()
    ]


# The module and the extra behind each backend that runs here.
_MODULES = {"llama.cpp": "xllamacpp", "openvino": "openvino_genai", "vllm": "vllm"}


def _backend(config: KentConfig) -> Check:
    from trainers.generators.factory import choose_backend

    backend = choose_backend(config.generator)
    present = [name for name, module in _MODULES.items() if importlib.util.find_spec(module)]
    data = {"configured": config.generator.backend, "used": backend, "installed": present}
    if backend == "openai":
        return Check("generator", "ok", f"openai, at {config.generator.base_url}", data)
    if backend in present:
        return Check("generator", "ok", f"{backend}; installed: {', '.join(present)}", data)
    if backend == "vllm" and (python := _vllm_elsewhere(config)):
        return Check("generator", "ok", f"vllm, by {python}", data)
    extra = backend.replace(".", "")
    message = f"{backend} is not installed: pip install -c constraints.txt -e '.[{extra}]'"
    return Check("generator", "fail", message, data)


def _vllm_elsewhere(config: KentConfig) -> Path | None:
    """Another interpreter that is meant to have vLLM: the configured one, or ``.venv-vllm``'s."""
    ours = Path(__file__).resolve().parent.parent / ".venv-vllm" / "bin" / "python"
    python = Path(config.generator.python) if config.generator.python else ours
    return python if python.exists() else None


def _weights(config: KentConfig) -> Check:
    """Whether the model is there in full size; its hash is `kent model verify`'s business."""
    from trainers.errors import WeightsError
    from trainers.generators.weights import find_weights

    name = config.generator.model
    if config.generator.backend == "openai":
        return Check("weights", "ok", f"{name}: the server's business", {"model": name})
    try:
        path = find_weights(name, config.weights_dir)
    except WeightsError as error:
        return Check("weights", "fail", str(error), {"model": name})
    return Check("weights", "ok", f"{name}: {path}", {"model": name, "path": str(path)})


def _sandbox(config: KentConfig) -> Check:
    """Runs one right and one wrong program for real."""
    from sandbox import Program, Sandbox, SandboxError, describe, from_asserts

    tests = from_asserts(["assert double(2) == 4", "assert double(-1) == -2"])
    try:
        with Sandbox(workers=1) as sandbox:
            programs = [f"def double(x):\n    return {code}" for code in ("2 * x", "x + 2")]
            words = [str(sandbox.run(Program("doctor", code, tests)).word) for code in programs]
        data = describe()
    except SandboxError as error:
        return Check("sandbox", "fail", str(error))
    if words != ["passed", "failed"]:
        return Check("sandbox", "fail", f"level {data['level']} judges wrongly: {words}", data)
    return Check("sandbox", "ok", _level_in_words(data), data)


def _level_in_words(data: dict[str, Any]) -> str:
    """The level, what keeps it from being higher, and the command that would raise it."""
    parts = [f"level {data['level']}, version {data['version']}"]
    parts += [f"not {one['level']}: {one['why']}" for one in data["obstacles"]]
    if data["raise_by"]:
        parts.append(f"to raise it: {data['raise_by']}")
    if not data["native"]:
        parts.append("no C compiler: half as fast")
    if data["memory_groups"] != "yes":
        parts.append(f"memory is bounded for each process only ({data['memory_groups']})")
    return "; ".join(parts)


def _cluster(config: KentConfig) -> Check:
    """Whether the configured cluster is reached, and what it has."""
    if config.cluster.engine == "local":
        return Check("cluster", "ok", "none: this machine alone", {"engine": "local"})
    from trainers.cluster.connection import connect, living_nodes
    from trainers.errors import ClusterError

    data: dict[str, Any] = {"engine": "ray", "address": config.cluster.address}
    try:
        connect(config.cluster)
        data["nodes"] = [asdict(node) for node in living_nodes()]
    except ClusterError as error:
        return Check("cluster", "fail", str(error), data)
    cpus, gpus = (sum(node[name] for node in data["nodes"]) for name in ("cpus", "gpus"))
    message = f"Ray at {config.cluster.address}: {len(data['nodes'])} nodes, {cpus} CPUs"
    return Check("cluster", "ok", f"{message}, {gpus:g} cards", data)


def _disk(config: KentConfig) -> Check:
    free = free_bytes(config.state_dir)
    enough = free >= config.daemon.min_free_gb * 2**30
    message = f"{in_words(free)} free for {config.state_dir}"
    if not enough:
        message += f"; a stage wants {config.daemon.min_free_gb:g} GB (daemon.min_free_gb)"
    return Check("disk", "ok" if enough else "fail", message, {"free_bytes": free})


def _database(config: KentConfig) -> Check:
    from memory.store import Store

    path = config.state_dir / "kent.db"
    if not path.exists():
        return Check("database", "ok", f"{path}: made by the first round")
    try:
        with Store.open(path, read_only=True) as store:
            rounds = len(store.rounds())
    except StoreError as error:
        return Check("database", "fail", str(error))
    size = in_words(path.stat().st_size)
    return Check("database", "ok", f"{path}: {size}, {rounds} rounds", {"rounds": rounds})


def _data(config: KentConfig) -> Check:
    folder = config.tasks.data_dir
    if folder is None:
        return Check("data", "ok", "no folder named: the Hub, else the built-in problems")
    if not folder.is_dir():
        return Check("data", "fail", f"{folder} is not a folder (tasks.data_dir or KENT_DATA)")
    files = sorted(path.name for path in _files(folder.iterdir()))
    return Check("data", "ok", f"{folder}: {len(files)} files", {"files": files})


def _files(paths: Iterator[Any]) -> Iterator[Any]:
    return (path for path in paths if path.is_file())
