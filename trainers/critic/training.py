"""A round's candidate: which samples weigh how much, the head, the blends, the checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from memory.records import Figure
from trainers.critic.blend import fit_blends
from trainers.critic.candidates import Version, begin, champion, finish
from trainers.critic.dataset import Features, Part, examples_of
from trainers.critic.examples import Examples
from trainers.critic.fixed import choose_baseline, choose_epoch
from trainers.critic.mining import mined_weights
from trainers.critic.model import FINAL, Blend, CriticSpec
from trainers.critic.seed_accuracy import accuracy_by_sample
from trainers.critic.sources import Engines, Prompts, version_features
from trainers.critic.train import Trained, cross_fitted_logits, held_out_logits, train
from trainers.stage import StageContext

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RoundData:
    """What a round learns from and chooses by: ``train``, ``validation`` and ``test``.

    ``prompts`` and ``engines`` are what another version's features of the same samples take.
    """

    parts: Mapping[str, Part]
    examples: Mapping[str, Examples]
    features: Features
    spec: CriticSpec
    prompts: Prompts
    engines: Engines

    @classmethod
    def of(
        cls,
        parts: Mapping[str, Part],
        features: Features,
        spec: CriticSpec,
        prompts: Prompts,
        engines: Engines,
    ) -> "RoundData":
        """Put the features under the samples."""
        examples = {name: examples_of(part.surveys, features, spec) for name, part in parts.items()}
        return cls(parts, examples, features, spec, prompts, engines)

    @property
    def is_trained(self) -> bool:
        """True where a head is trained; else one column of the inputs is the score."""
        return self.spec.kind != "features" and not self.features.adapters

    def seen_by(self, context: StageContext, version: Version, name: str) -> Examples:
        """The samples of one part as a stored version sees them."""
        if version.critic.spec == self.spec:
            return self.examples[name]
        surveys = self.parts[name].surveys
        features = version_features(context, self.engines, version.row, surveys, self.prompts)
        return examples_of(surveys, features, version.critic.spec)


def train_candidate(context: StageContext, data: RoundData) -> Version:
    """Train a new version and store it, from begin to candidate.

    An attempt that was cut in here is repeated from the start: it takes seconds, and with the same
    data it gives the same critic under the same model row.
    """
    context.progress.start("train", 0, "")
    keys = [key for one in data.parts["train"].surveys for key in one.keys]
    row = begin(context, data.spec, keys, data.features.adapters)
    distinct = data.examples["train"].distinct()
    weight = hard_weights(context, data, distinct)
    trained = _trained(context, data, distinct, weight)
    logits = _logits_on_train(context, data, distinct, trained, weight)
    blends = _blends(data, trained, logits)
    trained = replace(trained, critic=replace(trained.critic, blends=blends))
    mined = 0 if weight is None else int((weight > 1).sum())
    told = (
        f"{len(keys)} samples of {len(distinct.problem_ids)} problems, {len(distinct.passed)} "
        f"distinct, {mined} of them hard; chosen {trained.chosen.penalty:g}"
    )
    return finish(context, row, trained, told)


def hard_weights(context: StageContext, data: RoundData, distinct: Examples) -> Tensor | None:
    """(samples,) by the champion's scores; None in the first round, or where mining is off."""
    config = context.settings.critic
    if not config.mining or not data.is_trained:
        return None
    used = champion(context, data.spec.generator_id, data.spec.protocol)
    if used is None:
        return None
    seen = data.seen_by(context, used, "train").distinct()
    scores = used.critic.logits(seen.inputs, FINAL).numpy().astype(float)
    return mined_weights(distinct, scores, share=config.mining_share, weight=config.mining_weight)


def sample_split_accuracy(context: StageContext, data: RoundData) -> Figure | None:
    """The seed's figure on this round's data (see seed_accuracy); None without a trained head."""
    config = context.settings.critic
    if not data.is_trained:
        return None
    pool = Part([*data.parts["train"].surveys, *data.parts["validation"].surveys], {})
    samples = examples_of(pool.surveys, data.features, data.spec)
    return accuracy_by_sample(samples, data.spec, config, config.weight_decay, context.seed)


def _trained(
    context: StageContext, data: RoundData, distinct: Examples, weight: Tensor | None
) -> Trained:
    validation, config = data.examples["validation"], context.settings.critic
    if config.kind == "features":
        return choose_baseline(validation, data.spec)
    if data.features.adapters:
        return choose_epoch(validation, data.spec)
    return train(distinct, validation, data.spec, config, context.check_stop, weight)


def _logits_on_train(
    context: StageContext,
    data: RoundData,
    distinct: Examples,
    trained: Trained,
    weight: Tensor | None,
) -> Array | None:
    """(samples,) as if the problems were new; None where the model cannot be taken back so far."""
    config, everything = context.settings.critic, data.examples["train"]
    if data.features.adapters:
        return None
    if config.kind == "features":
        logits = trained.critic.logits(everything.inputs)
    else:
        logits = cross_fitted_logits(
            distinct, everything, data.spec, config, trained.chosen.penalty, weight,
            context.check_stop,
        )  # fmt: skip
    return logits.numpy().astype(float)


def _blends(data: RoundData, trained: Trained, logits: Array | None) -> dict[str, Blend]:
    """Fitted on train problems; for a tuned model, which knows these by heart, on validation."""
    validation = data.examples["validation"]
    held = held_out_logits(trained.critic, validation).numpy().astype(float)
    seen = data.parts["validation"].signals() | {"logit": held}
    if logits is None:
        return fit_blends(validation, seen, validation, seen)
    told = data.parts["train"].signals() | {"logit": logits}
    return fit_blends(data.examples["train"], told, validation, seen)
