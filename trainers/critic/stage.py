"""The critic stage: sample and label, features, train a candidate, gate it, measure on test."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from memory.records import LabelledSample
from sandbox import Limits, Sandbox
from trainers.calibration import calibrated_limits
from trainers.critic.candidates import Version, train_candidate, version_of_round
from trainers.critic.engines import open_features, open_generator
from trainers.critic.examples import Examples, assemble
from trainers.critic.feature_cache import FeatureCache, fill
from trainers.critic.features import FeatureSource
from trainers.critic.judging import gate, measure
from trainers.critic.model import CriticSpec
from trainers.critic.plan import (
    ProblemSets,
    derived_seed,
    load_sets,
    tokens_of_round,
    wanted_samples,
)
from trainers.critic.scalars import NAMES
from trainers.generators.base import Generator
from trainers.generators.prompts import solve_prompt
from trainers.labelling import LabelReport, sample_and_label
from trainers.samples import SampleSource, missing_indexes
from trainers.stage import StageContext, StageResult


@dataclass
class _Round:
    """What one run of the stage works on, and the seconds that its parts took."""

    context: StageContext
    sets: ProblemSets
    source: SampleSource
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[part] = round(time.monotonic() - started, 3)


@dataclass(frozen=True)
class _Data:
    train: Examples
    validation: Examples
    test: Examples
    spec: CriticSpec


class CriticStage:
    """Best-of-N with a learned picker; design section 1 has the words.

    Every unit of work is committed when done and keyed by what it is: a run that was cut goes on
    where it was. The generator's engine is gone before the feature model is loaded.
    """

    name = "critic"

    def __init__(
        self,
        open_generator: Callable[[StageContext], Generator] = open_generator,
        open_features: Callable[[StageContext], FeatureSource] = open_features,
    ) -> None:
        self._open_generator, self._open_features = open_generator, open_features

    def why_not_due(self, context: StageContext) -> str | None:
        """None: every round has fresh samples to draw, or at least labels to learn from."""
        return None

    def run(self, context: StageContext) -> StageResult:
        """See :class:`trainers.stage.Stage`."""
        generator = self._open_generator(context)
        settings = context.settings
        source = SampleSource.of(generator.id, settings.critic.protocol, settings.generator)
        this = _Round(context, load_sets(context), source)
        with this.timed("sample_label"):
            report, labelled = self._sample_and_label(this, generator)
        with this.timed("features"):
            data = self._data(this, labelled)
        with this.timed("train"):
            candidate, notes = _candidate(context, data)
        where = this.sets.source
        with this.timed("evaluate"):
            gated = gate(context, where, candidate, data.validation) if candidate else {}
            figures = measure(context, where, candidate, data.spec, data.validation, data.test)
        return StageResult(figures | gated | _facts(this, report, data) | {"notes": notes})

    def _sample_and_label(
        self, this: _Round, generator: Generator
    ) -> tuple[LabelReport, list[LabelledSample]]:
        """All wanted samples, judged; the engine is started only where samples are missing."""
        context, source = this.context, this.source
        wants = wanted_samples(context, this.sets, source)
        seed = derived_seed(context.seed, "sample", context.stage_run_id)
        kind = context.settings.critic.protocol

        def work() -> LabelReport:
            return sample_and_label(
                context, wants, source, generator, sandbox,
                prompt_kind=kind, seed=seed, limits=limits,
            )  # fmt: skip

        with _sandbox(context) as sandbox:
            limits = calibrated_limits(context, sandbox, [want.problem for want in wants])
            if missing_indexes(context.store, wants, source):
                context.progress.start("start the generator", 0, "")
                with generator:
                    report = work()
            else:
                report = work()
            labelled = context.store.labelled(
                problem_ids=[want.problem.id for want in wants],
                generator_id=source.generator_id,
                protocol=source.protocol,
                params_hash=source.params_hash,
                sandbox_version=sandbox.version,
                level=sandbox.level,
            )
        target = {want.problem.id: want.count for want in wants}
        return report, [one for one in labelled if one.sample.idx < target[one.sample.problem_id]]

    def _data(self, this: _Round, labelled: list[LabelledSample]) -> _Data:
        """Join the three splits' samples with their features, computed where they are missing."""
        context, problems = this.context, this.sets.all
        settings = context.settings.critic
        prompts = {row.id: solve_prompt(row, settings.protocol) for row in problems.values()}
        codes: dict[str, list[str]] = {}
        for one in labelled:
            codes.setdefault(one.sample.problem_id, []).append(one.sample.code)
        context.progress.start("prepare the feature model", 0, "")
        features = self._open_features(context)
        cache = FeatureCache(context.state_dir / "features", features.id, features.dim)
        fill(context, cache, features, [(prompts[key], found) for key, found in codes.items()])
        columns = features.columns(settings.pooling)
        spec = CriticSpec(
            generator_id=this.source.generator_id,
            protocol=this.source.protocol,
            feature_source=features.id,
            pooling=settings.pooling,
            hidden=len(columns),
            scalars=NAMES if settings.scalar_features else (),
        )

        def of(split: str) -> Examples:
            return assemble(
                [one for one in labelled if one.split == split],
                problems,
                prompts,
                cache,
                columns=columns,
                with_scalars=settings.scalar_features,
            )

        return _Data(of("train"), of("validation"), of("test"), spec)


def _candidate(context: StageContext, data: _Data) -> tuple[Version | None, list[str]]:
    """Get the round's version: the one that an earlier attempt finished, or a new one."""
    made = version_of_round(context)
    if made:
        return made, []
    if data.train.has_both:
        return train_candidate(context, data.train, data.validation, data.spec), []
    outcome = "passed" if data.train.passed.any() else "failed"
    why = (
        f"no critic was trained: all {len(data.train.keys)} labelled train samples {outcome}, and "
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


def _sandbox(context: StageContext) -> Sandbox:
    config = context.settings.sandbox
    limits = Limits(cpu_s=config.cpu_s, wall_s=config.wall_s, memory_mb=config.memory_mb)
    return Sandbox(workers=config.workers or None, limits=limits)


def _facts(this: _Round, report: LabelReport, data: _Data) -> dict[str, Any]:
    """Say what the figures were measured on and what that took."""
    sampled_per_s = report.tokens / report.sampling_s if report.tokens else None
    return {
        "n_problems": len(data.test.problem_ids),
        "n_samples": len(data.test.keys),
        "generator": this.source.generator_id,
        "protocol": this.source.protocol,
        "problem_set": this.sets.source,
        "train": {
            "n_problems": len(data.train.problem_ids),
            "n_samples": len(data.train.keys),
            "n_passed": int(data.train.passed.sum()),
        },
        "seconds": this.seconds,
        "tokens": tokens_of_round(this.context.store, this.context.round_id, CriticStage.name),
        "tokens_per_s": sampled_per_s,
        "not_judged": report.not_judged,
    }
