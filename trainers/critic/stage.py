"""The critic stage: sample and label, execute, features, train a candidate, gate it, measure."""

from collections.abc import Callable
from typing import Any

from trainers.clock import Clock
from trainers.critic.candidates import Version, mark_stale_champion, version_of_round
from trainers.critic.engines import open_features
from trainers.critic.features import FeatureSource
from trainers.critic.judging import gate, measure
from trainers.critic.pipeline import Gathered, gather, spec_of
from trainers.critic.plan import tokens_of_round, wanted_samples
from trainers.critic.sampling import Asked
from trainers.critic.sources import Engines
from trainers.critic.training import RoundData, sample_split_accuracy, train_candidate
from trainers.generators.base import Generator
from trainers.problem_sets import ProblemSets, load_sets
from trainers.stage import StageContext, StageResult
from trainers.stage_generator import open_generator


class CriticStage:
    """Best-of-N with a learned picker; design section 1 has the words.

    Every unit of work is committed when done and keyed by what it is: a run that was cut goes on
    where it was. The generator's engine is gone before the feature model is loaded.
    """

    name = "critic"

    def __init__(
        self,
        open_generator: Callable[[StageContext], Generator] = open_generator,
        open_features: Callable[[StageContext], FeatureSource | None] = open_features,
    ) -> None:
        self._engines = Engines(open_generator, open_features)

    def why_not_due(self, context: StageContext) -> str | None:
        """None: every round has fresh samples to draw, or at least labels to learn from."""
        return None

    def run(self, context: StageContext) -> StageResult:
        """See :class:`trainers.stage.Stage`."""
        clock, sets = Clock(), load_sets(context)
        source = self._engines.source(context)
        stale = mark_stale_champion(context, source.generator_id)
        wants = wanted_samples(context, sets, source)
        asked = Asked(wants, source, context.settings.critic.protocol)
        gathered = gather(context, asked, self._engines, clock)
        spec = spec_of(context, source, gathered.features)
        data = RoundData.of(
            sets.parts(gathered.part), gathered.features, spec, gathered.prompts, self._engines
        )
        with clock.timed("train"):
            candidate, notes = _candidate(context, data)
        with clock.timed("gate"):
            gated = gate(context, sets.source, candidate, data) if candidate else {}
        with clock.timed("evaluate"):
            figures = measure(context, sets.source, candidate, data)
            if candidate and (by_sample := sample_split_accuracy(context, data)):
                gated["val_accuracy_by_sample"] = by_sample.to_json()
        notes += [f"the champion is stale: {stale}"] if stale else []
        facts = _facts(context, sets, asked, gathered, data)
        return StageResult(figures | gated | facts | {"seconds": clock.seconds, "notes": notes})


def _candidate(context: StageContext, data: RoundData) -> tuple[Version | None, list[str]]:
    """Get the round's version: the one that an earlier attempt finished, or a new one."""
    made = version_of_round(context)
    if made:
        return made, []
    samples = data.examples["train"]
    if samples.has_both:
        return train_candidate(context, data), []
    outcome = "passed" if samples.passed.any() else "failed"
    why = (
        f"no critic was trained: all {len(samples.passed)} labelled train samples {outcome}, and "
        "it learns from the difference; raise critic.samples_per_problem or use more problems"
    )
    context.store.event(
        "critic.not_trained",
        why,
        level="warning",
        round_id=context.round_id,
        stage_run_id=context.stage_run_id,
    )
    return None, [why]


def _facts(
    context: StageContext, sets: ProblemSets, asked: Asked, gathered: Gathered, data: RoundData
) -> dict[str, Any]:
    """Say what the figures were measured on and what that took."""
    train, test, report = data.examples["train"], data.examples["test"], gathered.report
    return {
        "n_problems": len(test.problem_ids),
        "n_samples": len(test.passed),
        "generator": asked.source.generator_id,
        "protocol": asked.source.protocol,
        "problem_set": sets.source,
        "train": {
            "n_problems": len(train.problem_ids),
            "n_samples": len(train.passed),
            "n_passed": int(train.passed.sum()),
            "n_distinct": len(train.distinct().passed),
        },
        "tokens": tokens_of_round(context.store, context.round_id, CriticStage.name),
        "tokens_per_s": report.tokens / report.sampling_s if report.tokens else None,
        "not_judged": report.not_judged,
    }
