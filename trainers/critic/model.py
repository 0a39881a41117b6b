"""The critic: a linear head on standardised features that gives P(pass); saved as safetensors."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import sqrt
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from memory.files import sha256_file, write_atomically
from trainers.errors import CheckpointError

CLIP = 6.0  # standard deviations; a few hidden dimensions have outliers far beyond
FINAL = "final"


@dataclass(frozen=True)
class CriticSpec:
    """What a critic can be used on: whose samples, which features, of which widths."""

    generator_id: str
    protocol: str
    feature_source: str
    pooling: str
    hidden: int
    scalars: tuple[str, ...]
    kind: str = "decoder"


@dataclass(frozen=True)
class Standardiser:
    """Mean 0 and deviation 1 on the training samples; unknown values at the mean.

    Hidden states and scalars are each divided by the root of their number, so that thirteen facts
    weigh as much as thousands of hidden dimensions.
    """

    mean: Tensor
    scale: Tensor

    @classmethod
    def fit(cls, inputs: Tensor, hidden: int) -> Self:
        """Measure (samples, dim) training inputs, of which ``hidden`` columns are hidden states."""
        known = ~inputs.isnan()
        count = known.sum(0).clamp(min=1)
        mean = inputs.nan_to_num().sum(0) / count
        variance = ((inputs - mean).nan_to_num() ** 2).sum(0) / count
        block = torch.full_like(mean, sqrt(max(hidden, 1)))
        block[hidden:] = sqrt(max(len(mean) - hidden, 1))
        deviation = variance.sqrt()
        # A constant feature says nothing: it is switched off, not blown up.
        scale = torch.where(deviation > 1e-6, 1 / deviation.clamp(min=1e-6), 0.0) / block
        return cls(mean, torch.stack([scale, 1 / block]))

    @classmethod
    def none(cls, dim: int) -> Self:
        """Leave inputs as they are, but unknown values at 0."""
        return cls(torch.zeros(dim), torch.stack([torch.ones(dim), torch.full((dim,), 1e6)]))

    def __call__(self, inputs: Tensor) -> Tensor:
        """Standardise (samples, dim) raw inputs."""
        scale, block = self.scale
        limit = CLIP * block
        return torch.clamp((inputs - self.mean).nan_to_num() * scale, -limit, limit)


@dataclass(frozen=True)
class Head:
    """A linear map from standardised inputs to one logit: ``weight`` (dim,), ``offset`` ()."""

    weight: Tensor
    offset: Tensor

    def __call__(self, inputs: Tensor) -> Tensor:
        """Map (samples, dim) standardised inputs to (samples,) logits."""
        logits: Tensor = inputs @ self.weight + self.offset
        return logits


@dataclass(frozen=True)
class Blend:
    """A linear map from a sample's signals to one logit, and its calibration (slope, shift).

    ``signals`` names them in order; ``weight`` (signals,) applies to them as they are.
    """

    signals: tuple[str, ...]
    weight: Tensor
    offset: Tensor
    calibration: Tensor

    def logits(self, signals: Tensor) -> Tensor:
        """Map (samples, signals) to (samples,) logits."""
        return signals @ self.weight + self.offset

    def probability(self, signals: Tensor) -> Tensor:
        """Map (samples, signals) to (samples,) of P(pass)."""
        slope, shift = self.calibration
        return torch.sigmoid(slope * self.logits(signals) + shift)


@dataclass(frozen=True)
class Critic:
    """A trained critic. ``heads`` holds the final one and those that the gate needs (see train).

    ``calibration`` is (slope, shift) of the final logit; it never changes an order. ``blends`` join
    the logit with what execution tells, by the name of the picker that uses them (see blend).
    """

    spec: CriticSpec
    standardise: Standardiser
    heads: Mapping[str, Head]
    calibration: Tensor
    blends: Mapping[str, "Blend"]

    def logits(self, inputs: Tensor, head: str = FINAL) -> Tensor:
        """Map (samples, dim) raw inputs to (samples,) logits."""
        return self.heads[head](self.standardise(inputs))

    def score(self, inputs: Tensor) -> Tensor:
        """Map (samples, dim) raw inputs to (samples,) of P(pass)."""
        return self.probability(self.logits(inputs))

    def probability(self, logits: Tensor) -> Tensor:
        """Calibrate logits to P(pass)."""
        slope, shift = self.calibration
        return torch.sigmoid(slope * logits + shift)


def save_critic(critic: Critic, path: Path) -> str:
    """Write a critic atomically; its SHA-256."""
    tensors = {
        "mean": critic.standardise.mean,
        "scale": critic.standardise.scale,
        "calibration": critic.calibration,
    }
    for name, head in critic.heads.items():
        tensors |= {f"head.{name}.weight": head.weight, f"head.{name}.offset": head.offset}
    for name, blend in critic.blends.items():
        tensors |= {
            f"blend.{name}.weight": blend.weight,
            f"blend.{name}.offset": blend.offset,
            f"blend.{name}.calibration": blend.calibration,
        }
    signals = {name: blend.signals for name, blend in critic.blends.items()}
    told = {"spec": json.dumps(asdict(critic.spec)), "signals": json.dumps(signals)}
    own = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(own, told))
    return sha256_file(path)


def load_critic(path: Path, sha256: str) -> Critic:
    """Read a critic back.

    Raises:
        CheckpointError: it is missing, not what its hash says, or not a critic.
    """
    try:
        found = sha256_file(path)
        if found != sha256:
            raise CheckpointError(
                f"{path} has SHA-256 {found[:12]}..., the store says {sha256[:12]}...; restore it "
                "from a backup or train a new critic (`kent round critic`)"
            )
        with safe_open(path, framework="pt") as file:
            spec = json.loads(file.metadata()["spec"])
            signals = json.loads(file.metadata()["signals"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as a critic: {error}") from error
    return _from_tensors(spec, signals, tensors)


def _from_tensors(
    spec: dict[str, Any], signals: dict[str, list[str]], tensors: dict[str, Tensor]
) -> Critic:
    names = [name.split(".")[1] for name in tensors if name.startswith("head.")]
    blends = {
        name: Blend(
            tuple(used),
            *(tensors[f"blend.{name}.{part}"] for part in ("weight", "offset", "calibration")),
        )
        for name, used in signals.items()
    }
    heads = {
        name: Head(tensors[f"head.{name}.weight"], tensors[f"head.{name}.offset"]) for name in names
    }
    return Critic(
        CriticSpec(**{**spec, "scalars": tuple(spec["scalars"])}),
        Standardiser(tensors["mean"], tensors["scale"]),
        heads,
        tensors["calibration"],
        blends,
    )
