"""The generator's learned state in one file: network, expectation, patterns and threshold."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from memory.files import sha256_file, write_atomically
from trainers.code_trainer.expectation import TokenExpectation
from trainers.code_trainer.generator import GeneratorSettings
from trainers.code_trainer.network import CodeGeneratorNetwork, NetworkSpec
from trainers.errors import CheckpointError

_EXPECTATION = "expectation.coefficients"


@dataclass(frozen=True)
class GeneratorState:
    """What was learned. ``codebook``: dimensions and seed; ``patterns``: labels by index;
    ``tasks``: ids of all tasks that were seen, so that a benchmark can refuse them.
    """

    network: CodeGeneratorNetwork
    expectation: TokenExpectation
    settings: GeneratorSettings
    codebook: tuple[int, int]
    patterns: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()


def save_generator(state: GeneratorState, path: Path) -> str:
    """Write the state atomically; its SHA-256."""
    tensors = {f"network.{name}": t for name, t in state.network.state_dict().items()}
    tensors[_EXPECTATION] = state.expectation.coefficients
    told = {
        "spec": asdict(state.network.spec),
        "settings": asdict(state.settings),
        "codebook": list(state.codebook),
        "patterns": list(state.patterns),
        "tasks": list(state.tasks),
    }
    own = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(own, {"generator": json.dumps(told)}))
    return sha256_file(path)


def load_generator(path: Path, sha256: str) -> GeneratorState:
    """Read a state back.

    Raises:
        CheckpointError: it is missing, not what its hash says, or not a generator.
    """
    try:
        found = sha256_file(path)
        if found != sha256:
            raise CheckpointError(
                f"{path} has SHA-256 {found[:12]}..., the store says {sha256[:12]}...; restore it "
                "from a backup or train a new generator (`kent round code`)"
            )
        with safe_open(path, framework="pt") as file:
            told = json.loads(file.metadata()["generator"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        network = CodeGeneratorNetwork(NetworkSpec(**told["spec"]))
        network.load_state_dict(
            {
                name.removeprefix("network."): tensor
                for name, tensor in tensors.items()
                if name != _EXPECTATION
            }
        )
        dimensions, seed = told["codebook"]
        return GeneratorState(
            network.eval(),
            TokenExpectation(tensors[_EXPECTATION]),
            GeneratorSettings(**told["settings"]),
            (dimensions, seed),
            tuple(told["patterns"]),
            tuple(told["tasks"]),
        )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} cannot be read as a generator: {error}") from error
