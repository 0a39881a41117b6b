"""A round's candidate: which samples weigh how much, the head, the blends, the checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
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
from trainers.critic.train import Trained, held_out_logits, train
from trainers.stage import StageContext


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
    samples = data.examples["train"]
    keys = [key for one in data.parts["train"].surveys for key in one.keys]
    row = begin(context, data.spec, keys, data.features.adapters)
    hard = hard_weights(context, data)
    trained = _trained(context, data, hard)
    blends = _blends(data, trained)
    trained = replace(trained, critic=replace(trained.critic, blends=blends))
    told = (
        f"{len(keys)} samples of {len(samples.problem_ids)} problems, "
        f"{len(samples.distinct().passed)} distinct, {int((hard > 1).sum())} hard; "
        f"chosen {', '.join(f'{one:g}' for one in trained.chosen.key)}"
    )
    return finish(context, row, trained, told)


def hard_weights(context: StageContext, data: RoundData) -> Tensor:
    """(train samples,) by the champion's scores; 1 in the first round, and where mining is off."""
    config, samples = context.settings.critic, data.examples["train"]
    used = champion(context, data.spec.generator_id, data.spec.protocol)
    if not config.mining or not data.is_trained or used is None:
        return torch.ones(len(samples.passed))
    seen = data.seen_by(context, used, "train")
    scores = used.critic.logits(seen.inputs, FINAL).numpy().astype(float)
    return mined_weights(samples, scores, share=config.mining_share, weight=config.mining_weight)


def sample_split_accuracy(context: StageContext, data: RoundData) -> Figure | None:
    """The seed's figure on this round's data (see seed_accuracy); None without a trained head."""
    if not data.is_trained:
        return None
    surveys = [*data.parts["train"].surveys, *data.parts["validation"].surveys]
    samples = examples_of(surveys, data.features, data.spec)
    return accuracy_by_sample(samples, data.spec, context.settings.critic, context.seed)


def _trained(context: StageContext, data: RoundData, hard: Tensor) -> Trained:
    samples, validation = data.examples["train"], data.examples["validation"]
    config = context.settings.critic
    if config.kind == "features":
        return choose_baseline(samples, validation, data.spec)
    if data.features.adapters:
        return choose_epoch(validation, data.spec)
    weighted = replace(samples, weights=hard)
    return train(weighted, validation, data.spec, config, context.check_stop)


def _blends(data: RoundData, trained: Trained) -> dict[str, Blend]:
    """Fitted on train problems; for a tuned model, which knows these by heart, on validation."""
    validation = data.examples["validation"]
    held = held_out_logits(trained.critic, validation).numpy().astype(float)
    seen = data.parts["validation"].signals() | {"logit": held}
    if trained.train_logits is None:
        return fit_blends(validation, seen, validation, seen)
    told = data.parts["train"].signals() | {"logit": trained.train_logits}
    return fit_blends(data.examples["train"], told, validation, seen)
