"""The trained pair, Manager and renderer, as one file of safetensors."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from memory.files import sha256_file, write_atomically
from trainers.errors import CheckpointError
from trainers.fractal.synthetic.embedding import NetworkSpec
from trainers.fractal.synthetic.manager import Manager
from trainers.fractal.synthetic.renderer import Renderer
from trainers.synthetic_settings import DifficultyConfig, NetworkConfig


class Networks(nn.Module):
    """Both networks, so that they train and are saved together."""

    def __init__(self, network: NetworkConfig) -> None:
        super().__init__()
        spec = NetworkSpec(**network.model_dump())
        self.manager, self.renderer = Manager(spec), Renderer(spec)


@dataclass(frozen=True)
class SyntheticModel:
    """Both networks, what they were made for, and for how many steps they were trained in all."""

    networks: Networks
    network: NetworkConfig
    difficulty: DifficultyConfig
    steps: int = 0

    @property
    def manager(self) -> Manager:
        """Drafts skeletons."""
        return self.networks.manager

    @property
    def renderer(self) -> Renderer:
        """Renders chunks."""
        return self.networks.renderer

    def fits(self, network: NetworkConfig, difficulty: DifficultyConfig) -> bool:
        """It can be trained on under these settings, and compared with what they make."""
        return self.network == network and self.difficulty == difficulty


def untrained(network: NetworkConfig, difficulty: DifficultyConfig, seed: int) -> SyntheticModel:
    """Random weights from a seed; the global generator of PyTorch is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SyntheticModel(Networks(network).eval(), network, difficulty)


def save_model(model: SyntheticModel, path: Path) -> str:
    """Write a model atomically; its SHA-256."""
    told = {
        "network": model.network.model_dump(),
        "difficulty": model.difficulty.model_dump(),
        "steps": model.steps,
    }
    own = {name: t.detach().clone().contiguous() for name, t in model.networks.state_dict().items()}
    write_atomically(path, save(own, {"fractal": json.dumps(told)}))
    return sha256_file(path)


def load_model(path: Path, sha256: str) -> SyntheticModel:
    """Read a model back.

    Raises:
        CheckpointError: it is missing, not what its hash says, or not such a model.
    """
    try:
        found = sha256_file(path)
        if found != sha256:
            raise CheckpointError(
                f"{path} has SHA-256 {found[:12]}..., the store says {sha256[:12]}...; restore it "
                "from a backup or train a new model (`kent round fractal`)"
            )
        told, tensors = read_tensors(path, "fractal")
        network = NetworkConfig(**told["network"])
        model = untrained(network, DifficultyConfig(**told["difficulty"]), seed=0)
        model.networks.load_state_dict(tensors)
        return SyntheticModel(model.networks, network, model.difficulty, int(told["steps"]))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} cannot be read as a fractal model: {error}") from error


def read_tensors(path: Path, key: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What a file of safetensors says of itself under a key, and its tensors."""
    with safe_open(path, framework="pt") as file:
        told = json.loads(file.metadata()[key])
        return told, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
