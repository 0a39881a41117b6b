"""From wanted samples to all that is known of them: sampled, judged, executed, read, embedded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from memory.records import ModelRow
from trainers.clock import Clock
from trainers.critic.dataset import Features, Part, read_surveys
from trainers.critic.model import CriticSpec
from trainers.critic.sampling import Asked, execute, open_sandbox, sample
from trainers.critic.scalars import NAMES
from trainers.critic.signals import Executed
from trainers.critic.sources import Engines, Prompts, round_features, version_features
from trainers.critic.survey import Surveyed
from trainers.generators.prompts import solve_prompt
from trainers.labelling import LabelReport
from trainers.samples import SampleSource
from trainers.stage import StageContext


@dataclass(frozen=True)
class Gathered:
    """Everything that is known of the samples that were asked for."""

    report: LabelReport
    surveys: list[Surveyed]
    executed: Mapping[str, Executed]
    features: Features
    prompts: Prompts

    def part(self, problem_ids: Sequence[str]) -> Part:
        """The samples of some of the problems."""
        wanted = set(problem_ids)
        return Part([one for one in self.surveys if one.problem_id in wanted], self.executed)


def gather(
    context: StageContext,
    asked: Asked,
    engines: Engines,
    clock: Clock,
    version: ModelRow | None = None,
) -> Gathered:
    """Make everything exist that is missing; what is in the store or the cache is not redone.

    The features are those of ``version``, or without one those of a new critic.

    Raises:
        Stopped: asked to stop; every finished unit is kept.
        TrainerError: the generator or the sandbox cannot go on.
    """
    prompts = {row.id: solve_prompt(row, asked.prompt_kind) for row in asked.problems}
    with open_sandbox(context) as sandbox:
        with clock.timed("sample_label"):
            report, which = sample(context, asked, sandbox, engines.generator)
        with clock.timed("read"):
            surveys = read_surveys(context, asked.problems, prompts, which, asked.counts)
        with clock.timed("execute"):
            executed = execute(context, asked, sandbox, surveys)
    with clock.timed("features"):
        features = (
            version_features(context, engines, version, surveys, prompts)
            if version
            else round_features(context, engines, surveys, prompts)
        )
    return Gathered(report, surveys, executed, features, prompts)


def spec_of(context: StageContext, source: SampleSource, features: Features) -> CriticSpec:
    """What a critic of this configuration can be used on."""
    config = context.settings.critic
    wanted = config.kind == "features" or (config.scalar_features and not features.adapters)
    return CriticSpec(
        generator_id=source.generator_id,
        protocol=source.protocol,
        feature_source=features.source_id,
        pooling=config.pooling,
        hidden=len(features.columns),
        scalars=NAMES if wanted else (),
        kind=config.kind,
    )
