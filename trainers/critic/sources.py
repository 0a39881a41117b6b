"""Which features a critic sees: those of the configuration, or those of a stored version."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from memory.records import ModelRow
from trainers.config import CriticConfig, TrainerSettings
from trainers.critic.dataset import NO_FEATURES, Features, compute_features
from trainers.critic.engines import (
    backbone_folder,
    fastest_dtype,
    open_features,
    programs_a_pass,
)
from trainers.critic.features import FeatureSource
from trainers.critic.survey import Surveyed
from trainers.critic.tuned import TunedScores
from trainers.critic.tuning import tune
from trainers.critic.tuning_data import TuneProblem
from trainers.critic.tuning_loss import LossWeights
from trainers.errors import WeightsError
from trainers.generators.base import Generator, Message
from trainers.samples import SampleSource
from trainers.stage import StageContext
from trainers.stage_generator import open_generator

Prompts = Mapping[str, Sequence[Message]]


@dataclass(frozen=True)
class Engines:
    """Who writes programs and who turns them into vectors; each opened when it is needed."""

    generator: Callable[[StageContext], Generator] = open_generator
    features: Callable[[StageContext], FeatureSource | None] = open_features

    def source(self, context: StageContext) -> SampleSource:
        """What samples of the configured generator and protocol are keyed by."""
        settings = context.settings
        generator_id = self.generator(context).id
        return SampleSource.of(generator_id, settings.critic.protocol, settings.generator)


def is_tuned(settings: TrainerSettings) -> bool:
    """True where the configured critic is a model that is fine-tuned as a whole."""
    config = settings.critic
    if config.kind == "features":
        return False
    return config.tuning == "lora" or (config.tuning == "auto" and torch.cuda.is_available())


def round_features(
    context: StageContext, engines: Engines, surveys: Sequence[Surveyed], prompts: Prompts
) -> Features:
    """The features of a new critic; a tuned one is tuned first, on the train problems among them.

    Raises:
        Stopped: asked to stop; whole epochs and computed features are kept.
        WeightsError: the model is absent.
        TrainerError: no train problem can teach anything.
    """
    context.progress.start("prepare the feature model", 0, "")
    if is_tuned(context.settings):
        adapters = _tuned(context, surveys, prompts)
        source: FeatureSource | None = _tuned_source(context, adapters)
        kept = tuple(str(one.relative_to(context.state_dir)) for one in adapters)
    else:
        source, kept = engines.features(context), ()
    if source is None:
        return NO_FEATURES
    pooling = context.settings.critic.pooling
    return replace(compute_features(context, source, pooling, surveys, prompts), adapters=kept)


def version_features(
    context: StageContext,
    engines: Engines,
    row: ModelRow,
    surveys: Sequence[Surveyed],
    prompts: Prompts,
) -> Features:
    """The features that a stored version was made with, for other samples."""
    source = version_source(context, engines, row)
    if source is None:
        return NO_FEATURES
    pooling = row.config["spec"]["pooling"]
    adapters = tuple(row.config.get("adapters", ()))
    return replace(compute_features(context, source, pooling, surveys, prompts), adapters=adapters)


def version_source(context: StageContext, engines: Engines, row: ModelRow) -> FeatureSource | None:
    """The source of a stored version's features; None where it sees none."""
    critic = CriticConfig.model_validate(row.config["training"], strict=False)
    own = replace(context, settings=context.settings.model_copy(update={"critic": critic}))
    if adapters := row.config.get("adapters"):
        return _tuned_source(own, [context.state_dir / one for one in adapters])
    return engines.features(own)


def _tuned_source(context: StageContext, adapters: Sequence[Path]) -> TunedScores:
    folder, name = _local_backbone(context)
    return TunedScores(
        folder,
        adapters,
        name,
        programs_a_pass=programs_a_pass(context.settings, context.batch_scale),
        dtype=fastest_dtype(),
    )


def _local_backbone(context: StageContext) -> tuple[Path, str]:
    folder, name = backbone_folder(context.settings)
    if isinstance(folder, str):
        raise WeightsError(
            f"critic.tuning is 'lora', which wants a folder, but critic.encoder_model is "
            f"{folder!r}: download the model and name its folder"
        )
    return folder, name


def _tuned(context: StageContext, surveys: Sequence[Surveyed], prompts: Prompts) -> list[Path]:
    """Tune on the distinct programs of the train problems; what an earlier attempt did is kept."""
    folder, _ = _local_backbone(context)
    config = context.settings.critic
    parts = config.loss.split("+")
    return tune(
        folder,
        [_tune_problem(context, one, prompts) for one in surveys if one.split == "train"],
        context.state_dir / "checkpoints" / "lora",
        config.lora,
        LossWeights(*(float(name in parts) for name in ("pointwise", "pairwise", "listwise"))),
        dtype=fastest_dtype(),
        seed=context.seed,
        check_stop=context.check_stop,
        progress=context.progress,
    )


def _tune_problem(context: StageContext, one: Surveyed, prompts: Prompts) -> TuneProblem:
    """Each normal form and outcome once, weighed by its count."""
    counts: dict[tuple[str, float], float] = {}
    stands: dict[tuple[str, float], str] = {}
    told = zip(one.normals, one.passed.tolist(), one.features_of, strict=True)
    for normal, passed, program in told:
        stands.setdefault((normal, passed), program)
        counts[normal, passed] = counts.get((normal, passed), 0.0) + 1
    texts = context.store.programs(set(stands.values()))
    return TuneProblem(
        one.problem_id,
        prompts[one.problem_id],
        codes=[texts[program] for program in stands.values()],
        passed=[passed for _, passed in stands],
        weights=list(counts.values()),
    )
