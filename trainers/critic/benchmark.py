"""The honest benchmark of the critic in use: all pickers on further test sets, and what they cost.

It runs as a round of its own whose only stage this is, so that sampling, cuts and restarts work as
in any round. It trains nothing and decides nothing.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from memory.records import Figure, ProblemRow
from trainers.clock import Clock
from trainers.critic.ablation import ablate
from trainers.critic.base_samples import share_base_samples
from trainers.critic.candidates import Version, champion, kind_of, load_version
from trainers.critic.dataset import examples_of
from trainers.critic.engines import open_features
from trainers.critic.evaluate import Scores, critic_figures, score, score_held_out
from trainers.critic.features import FeatureSource
from trainers.critic.judging import figures_json, over_likelihood, pickers_of
from trainers.critic.pipeline import Gathered, gather
from trainers.critic.plan import stored_counts
from trainers.critic.ranking import rates
from trainers.critic.sampling import Asked
from trainers.critic.seed_accuracy import accuracy_figure
from trainers.critic.sources import Engines, version_source
from trainers.critic.training import RoundData, sample_split_accuracy
from trainers.errors import BenchmarkError
from trainers.generators.base import Generator
from trainers.generators.prompts import solve_prompt
from trainers.platt import reliability
from trainers.problem_sets import load_sets
from trainers.samples import SampleSource, Want
from trainers.stage import StageContext, StageResult
from trainers.stage_generator import open_generator

_TIMED_PROGRAMS = 64
_LAST_SECONDS = """
SELECT json_extract(r.metrics, '$.seconds') AS seconds FROM stage_runs r
WHERE r.stage = 'critic' AND r.status = 'done' ORDER BY r.id DESC LIMIT 1
"""


class CriticBenchmark:
    """Measures the critic of each protocol that ``benchmark.protocols`` names."""

    name = "critic_benchmark"

    def __init__(
        self,
        open_generator: Callable[[StageContext], Generator] = open_generator,
        open_features: Callable[[StageContext], FeatureSource | None] = open_features,
    ) -> None:
        self._engines = Engines(open_generator, open_features)

    def why_not_due(self, context: StageContext) -> str | None:
        """None: it is run when asked for."""
        return None

    def run(self, context: StageContext) -> StageResult:
        """See :class:`trainers.stage.Stage`.

        Raises:
            BenchmarkError: there is no critic of a protocol that was asked for.
        """
        wanted = context.settings.benchmark
        protocols = wanted.protocols or (context.settings.critic.protocol,)
        clock, results, ablation = Clock(), [], {}
        for protocol in protocols:
            under = _under(context, protocol)
            measured = _Protocol(under, self._engines, clock)
            results += measured.results()
            if wanted.ablation:
                ablation[protocol] = measured.ablation()
        return StageResult(
            {
                "results": results,
                "ablation": ablation,
                "speed": measured.speed(),
                "round_share": _round_share(context),
                "seconds": clock.seconds,
            }
        )


class _Protocol:
    """One protocol: its critic, the samples of its problems, its figures."""

    def __init__(self, context: StageContext, engines: Engines, clock: Clock) -> None:
        self._context, self._engines, self._clock = context, engines, clock
        self._sets = load_sets(context, also=_plain_sets(context))
        self._source = engines.source(context)
        self._version = _critic_in_use(context, self._source)
        sets = self._sets
        learned = self._gather(
            stored_counts(context.store, [*sets.train, *sets.validation], self._source)
        )
        test = self._gather(self._wants(sets.test))
        self._test = test
        both = Gathered(
            test.report,
            [*learned.surveys, *test.surveys],
            {**learned.executed, **test.executed},
            test.features,  # opened last: it has what was computed before, too
            {**learned.prompts, **test.prompts},
        )
        self._data = RoundData.of(
            sets.parts(both.part), both.features, self._version.critic.spec, both.prompts, engines
        )

    def results(self) -> list[dict[str, Any]]:
        """Figures on MBPP's test problems and on each further set."""
        found = [self._result(self._sets.source, self._test, self._sets.test)]
        for name, rows in self._sets.further.items():
            share_base_samples(self._context, rows, self._source, self._samples)
            found.append(self._result(name, self._gather(self._wants(rows)), rows))
        return found

    def ablation(self) -> dict[str, Any]:
        """What each part of the critic is worth (see ablation)."""
        with self._clock.timed("ablation"):
            return ablate(self._context, self._data, self._version_source())

    def speed(self) -> dict[str, float | None]:
        """Programs scored a second: features and all, and from the cache."""
        return {
            "programs_per_s": self._features_per_s(),
            "cached_programs_per_s": self._cached_per_s(),
        }

    @property
    def _samples(self) -> int:
        settings = self._context.settings
        return settings.benchmark.samples or settings.critic.eval_samples_per_problem

    def _wants(self, rows: Sequence[ProblemRow]) -> list[Want]:
        return [Want(row, self._samples) for row in rows]

    def _gather(self, wants: Sequence[Want]) -> Gathered:
        asked = Asked(wants, self._source, self._context.settings.critic.protocol)
        return gather(self._context, asked, self._engines, self._clock, self._version.row)

    def _result(self, name: str, gathered: Gathered, rows: Sequence[ProblemRow]) -> dict[str, Any]:
        context, version = self._context, self._version
        part = gathered.part([row.id for row in rows])
        scores = score(
            version.critic, examples_of(part.surveys, gathered.features, self._data.spec)
        )
        figures = critic_figures(scores, context.seed)
        side = pickers_of(version, scores, part, context.seed)
        context.store.add_evaluation(
            context.stage_run_id,
            version.row.id,
            name,
            "test",
            self._source.protocol,
            figures | {f"gap_closed.{key}": one for key, one in side["gap_closed"].items()},
        )
        return {
            "test_set": name,
            "protocol": context.settings.critic.protocol,
            "generator": self._source.generator_id,
            "critic": version.row.id,
            "critic_kind": version.critic.spec.kind,
            "critic_status": version.row.status,
            "n_problems": len(scores.examples.problem_ids),
            "n_samples": len(scores.logits),
            "pickers": figures_json(side["pickers"]),
            "items": _by_problem(scores),
            "gap_closed": figures_json(side["gap_closed"]),
            "auc_within_problem": figures["auc_within_problem"].to_json(),
            "ece_before": figures["ece_before"].to_json(),
            "ece_after": figures["ece"].to_json(),
            "reliability": reliability(scores.probability, scores.examples.outcomes),
            **figures_json(over_likelihood(scores, part, context.seed)),
            **figures_json(self._accuracies()),
        }

    def _accuracies(self) -> dict[str, Figure]:
        """The seed's kind of figure, split by problem as ours is, and split by sample as it was."""
        held = score_held_out(self._version.critic, self._data.examples["validation"])
        by_sample = sample_split_accuracy(self._context, self._data)
        return {
            "val_accuracy_by_problem": accuracy_figure(held, self._context.seed),
            "val_accuracy_by_sample": by_sample or Figure(None, None, None, 0),
        }

    def _version_source(self) -> FeatureSource | None:
        return version_source(self._context, self._engines, self._version.row)

    def _features_per_s(self) -> float | None:
        """Without the cache, on some programs of one problem after the other."""
        source = self._version_source()
        if source is None:
            return None
        rows = {row.id: row for row in self._sets.test}
        kind, done, seconds = self._context.settings.critic.protocol, 0, 0.0
        with source:
            for one in self._data.parts["test"].surveys:
                texts = list(self._context.store.programs(set(one.features_of)).values())
                started = time.monotonic()
                source.extract(solve_prompt(rows[one.problem_id], kind), texts)
                seconds += time.monotonic() - started
                done += len(texts)
                if done >= _TIMED_PROGRAMS:
                    break
        return round(done / seconds, 2)

    def _cached_per_s(self) -> float:
        started = time.monotonic()
        examples = examples_of(
            self._data.parts["test"].surveys, self._data.features, self._data.spec
        )
        with torch.inference_mode():
            self._version.critic.score(examples.inputs)
        return round(len(examples.passed) / (time.monotonic() - started), 1)


def _by_problem(scores: Scores) -> dict[str, dict[str, float]]:
    """Problem by problem: does the sample pass that the critic picks, or that chance picks."""
    examples = scores.examples
    chance = rates(examples.outcomes, examples.rows)
    return {
        name: dict(zip(examples.problem_ids, values.tolist(), strict=True))
        for name, values in (("picked", scores.picked), ("random", chance))
    }


def _under(context: StageContext, protocol: str) -> StageContext:
    """The same context, configured for a protocol."""
    critic = context.settings.critic.model_copy(update={"protocol": protocol})
    settings = context.settings.model_copy(update={"critic": critic})
    return replace(context, settings=settings)


def _plain_sets(context: StageContext) -> tuple[str, ...]:
    """The further sets that were asked for: the train source's own test problems are always in."""
    wanted = context.settings.benchmark.sets
    return tuple(name for name in wanted if name != "mbpp")


def _critic_in_use(context: StageContext, source: SampleSource) -> Version:
    """The champion of the generator and protocol, or before there is one the newest version."""
    found = champion(context, source.generator_id, source.protocol)
    if found:
        return found
    kind = kind_of(source.protocol)
    fitting = [
        row
        for row in context.store.models(kind)
        if row.checkpoint
        and not row.stale
        and row.generator_id == source.generator_id
        and row.config.get("spec", {}).get("protocol") == source.protocol
    ]
    if not fitting:
        raise BenchmarkError(
            f"no {kind} for {source.generator_id} is in {context.state_dir}: `kent round critic` "
            f"trains one (critic.protocol = {context.settings.critic.protocol!r})"
        )
    return load_version(context, fitting[-1])


def _round_share(context: StageContext) -> dict[str, float]:
    """The share of its time that the last round of the critic spent in each part."""
    found = context.store.query(_LAST_SECONDS)
    seconds = json.loads(found[0]["seconds"] or "{}") if found else {}
    total = sum(seconds.values())
    return {name: round(value / total, 4) for name, value in seconds.items()} if total else {}
