"""What the stage reads programs with by default: the configured feature model."""

import os
from functools import partial
from pathlib import Path

import torch

from trainers.config import TrainerSettings
from trainers.critic.encoder import EncoderStates
from trainers.critic.features import FeatureSource, HiddenStates
from trainers.errors import WeightsError
from trainers.generators.folder import hf_folder
from trainers.generators.weights import default_weights_dir, identity
from trainers.hardware import fast_bf16
from trainers.stage import StageContext
from trainers.stage_generator import on_notice

GENERATOR = "generator"  # the value of critic.feature_model that means: the same model


def open_features(context: StageContext) -> FeatureSource | None:
    """The hidden states that ``critic.kind`` names, computed here or by the cluster.

    None for ``features``, which sees none.

    Raises:
        WeightsError: its weights are absent or unknown.
    """
    here = features_of(context.settings, context.batch_scale)
    if here is None or context.settings.cluster.engine == "local":
        return here
    from trainers.critic.spread import SpreadFeatures

    return SpreadFeatures(
        context.settings.cluster,
        here,
        partial(_features_on_node, context.settings, context.batch_scale),
        on_notice(context),
    )


def _features_on_node(settings: TrainerSettings, batch_scale: float) -> FeatureSource:
    folder = default_weights_dir(os.environ, settings.weights_dir)
    source = features_of(settings.model_copy(update={"weights_dir": folder}), batch_scale)
    assert source is not None
    return source


def features_of(settings: TrainerSettings, batch_scale: float) -> FeatureSource | None:
    """The same for settings; ``batch_scale`` shrinks the programs of a forward pass."""
    if settings.critic.kind == "features":
        return None
    folder, name = backbone_folder(settings)
    if settings.critic.kind == "encoder":
        return EncoderStates(folder, name, dtype=fastest_dtype())
    return HiddenStates(
        Path(folder),
        name,
        programs_a_pass=programs_a_pass(settings, batch_scale),
        dtype=fastest_dtype(),
    )


def backbone_folder(settings: TrainerSettings) -> tuple[Path | str, str]:
    """The folder of the model that the critic reads programs with, and its identity.

    An encoder may also be a name on the Hub, which is then both.

    Raises:
        WeightsError: its weights are absent or unknown, or no encoder is named.
    """
    critic, weights_dir = settings.critic, settings.weights_dir
    if critic.kind == "encoder":
        if not critic.encoder_model:
            raise WeightsError(
                "critic.kind is 'encoder', but critic.encoder_model names none: a folder, or a "
                "name on the Hub"
            )
        folder = Path(critic.encoder_model)
        local = (folder / "config.json").is_file()
        if local:
            return folder, identity(str(folder), folder.parent)
        return critic.encoder_model, critic.encoder_model
    named = settings.generator.model if critic.feature_model == GENERATOR else critic.feature_model
    return hf_folder(named, weights_dir), identity(named, weights_dir)


def programs_a_pass(settings: TrainerSettings, batch_scale: float) -> int:
    """How many programs a forward pass takes."""
    return max(1, int(settings.critic.feature_batch * batch_scale))


def fastest_dtype() -> torch.dtype:
    """bfloat16 where the processor multiplies it in hardware, else float32."""
    return torch.bfloat16 if fast_bf16() else torch.float32
