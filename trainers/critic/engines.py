"""What the stage works with by default: the configured generator and feature model."""

import os
from pathlib import Path

import torch

from trainers.config import TrainerSettings
from trainers.critic.features import FeatureSource, HiddenStates
from trainers.generators import open_generator as open_configured
from trainers.generators.base import Generator
from trainers.generators.folder import hf_folder
from trainers.generators.weights import default_weights_dir, identity
from trainers.stage import StageContext

GENERATOR = "generator"  # the value of critic.feature_model that means: the same model


def open_generator(context: StageContext) -> Generator:
    """The configured generator; its engine's process is registered, so that it can be ended."""

    def register(pid: int, start: float, role: str) -> None:
        context.store.register_process(pid, start, role, context.settings.generator.model)

    return open_configured(
        context.settings.generator,
        state_dir=context.state_dir,
        weights_dir=default_weights_dir(os.environ),
        log_path=context.state_dir / "logs" / "generator.log",
        on_engine=register,
    )


def open_features(context: StageContext) -> FeatureSource | None:
    """The hidden states that ``critic.kind`` names; None for ``features``, which sees none.

    Raises:
        WeightsError: its weights are absent or unknown.
    """
    return features_of(context.settings, context.batch_scale)


def features_of(settings: TrainerSettings, batch_scale: float) -> FeatureSource | None:
    """The same for settings; ``batch_scale`` shrinks the programs of a forward pass."""
    if settings.critic.kind == "features":
        return None
    named = settings.critic.feature_model
    name = settings.generator.model if named == GENERATOR else named
    weights_dir = default_weights_dir(os.environ)
    folder = hf_folder(name, weights_dir)
    programs = max(1, int(settings.critic.feature_batch * batch_scale))
    return HiddenStates(
        folder, identity(name, weights_dir), programs_a_pass=programs, dtype=fastest_dtype()
    )


def fastest_dtype() -> torch.dtype:
    """bfloat16 where the processor multiplies it in hardware, else float32."""
    if torch.cuda.is_available():
        return torch.bfloat16
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    fast = any(flag in flags for flag in ("avx512_bf16", "amx_bf16", " bf16"))
    return torch.bfloat16 if fast else torch.float32
