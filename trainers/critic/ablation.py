"""What each part of the critic is worth: the same samples, one thing changed at a time.

Everything is trained on train problems and chosen by validation, as in a round; test figures are
told and decide nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trainers import statistics
from trainers.config import CriticConfig
from trainers.critic.allocation import MOST_AT_ONCE, allocate, informative_shares
from trainers.critic.dataset import Features, examples_of
from trainers.critic.evaluate import score
from trainers.critic.examples import Examples
from trainers.critic.features import POOLINGS, FeatureSource
from trainers.critic.fixed import choose_baseline
from trainers.critic.mining import mined_weights
from trainers.critic.model import CriticSpec
from trainers.critic.ranking import gains, oracle, rates
from trainers.critic.scalars import AMONG, NAMES, OWN
from trainers.critic.solver import MIXES
from trainers.critic.train import Trained, held_out_logits, train
from trainers.critic.training import RoundData
from trainers.stage import StageContext
from trainers.tasks.splits import by_hash

CURVE = (50, 100, 200)  # train problems, and then all
STRENGTHS = (2.0, 4.0)  # of mining


@dataclass(frozen=True)
class _Bench:
    """Trains variants of one critic on the same samples."""

    context: StageContext
    data: RoundData

    def row(
        self,
        *,
        spec: CriticSpec | None = None,
        features: Features | None = None,
        config: dict[str, Any] | None = None,
        alter: Callable[[Examples], Examples] = lambda samples: samples,
    ) -> dict[str, Any]:
        """The figures of one variant; what is not given is as configured."""
        self.context.check_stop()
        spec, features = spec or self.data.spec, features or self.data.features
        sets = {
            name: examples_of(part.surveys, features, spec)
            for name, part in self.data.parts.items()
        }
        samples = alter(sets["train"])
        settings = self.context.settings.critic.model_copy(update=config or {})
        trained = train(samples, sets["validation"], spec, settings)
        return self.figures(trained, sets["validation"], sets["test"])

    def figures(self, trained: Trained, validation: Examples, test: Examples) -> dict[str, Any]:
        """Rerank gain on validation by held-out heads; gap closed and AUC on test."""
        seed = self.context.seed
        held = held_out_logits(trained.critic, validation).numpy().astype(float)
        gain = gains(held, validation.outcomes, validation.rows)
        scores = score(trained.critic, test)
        outcomes, rows = test.outcomes, test.rows
        gap = statistics.gap_closed(
            rates(outcomes, rows), scores.picked, oracle(outcomes, rows), seed=seed
        )
        auc = statistics.auc_within_problem(scores.logits, outcomes, test.problem_of, seed=seed)
        return {
            "validation_gain": statistics.mean(gain, seed=seed).to_json(),
            "gap_closed": gap.to_json(),
            "auc_within_problem": auc.to_json(),
        }


def ablate(
    context: StageContext, data: RoundData, source: FeatureSource | None
) -> dict[str, dict[str, Any]]:
    """Tables by what is changed: learning curve, features, loss, mining, duplicates.

    Args:
        context: settings, seed, stop request.
        data: the samples of a protocol.
        source: of the features, not entered; None where only scalars are used.
    """
    bench = _Bench(context, data)
    return {
        "train_problems": _curve(bench),
        "features": _features(bench, source),
        "loss": {str(mix): bench.row(config={"loss": mix}) for mix in MIXES},
        "balanced": {str(on): bench.row(config={"balanced": on}) for on in (True, False)},
        "mining": _mining(bench),
        "sampling": _sampling(bench),
    }


def _curve(bench: _Bench) -> dict[str, Any]:
    """Nested subsets, by hash of the problem."""
    ids = sorted((one.problem_id for one in bench.data.parts["train"].surveys), key=by_hash)
    sizes = [size for size in CURVE if size < len(ids)] + [len(ids)]

    def some(size: int) -> Callable[[Examples], Examples]:
        return lambda samples: samples.of_problems(ids[:size])

    return {str(size): bench.row(alter=some(size)) for size in sizes}


def _features(bench: _Bench, source: FeatureSource | None) -> dict[str, Any]:
    spec, data = bench.data.spec, bench.data
    nothing = Features("none", None, [])
    bare = replace(spec, hidden=0)
    table = {
        "baseline": _baseline(bench),
        "scalars alone": bench.row(spec=replace(bare, scalars=NAMES), features=nothing),
        "scalars of itself": bench.row(spec=replace(bare, scalars=OWN), features=nothing),
        "scalars of siblings": bench.row(spec=replace(bare, scalars=AMONG), features=nothing),
    }
    for pooling in POOLINGS if source is not None else ():
        assert source is not None
        used = replace(data.features, columns=source.columns(pooling))
        for name, scalars in (("alone", ()), ("and scalars", NAMES)):
            one = replace(spec, hidden=len(used.columns), scalars=scalars, pooling=pooling)
            table[f"{pooling} {name}"] = bench.row(spec=one, features=used)
    return table


def _baseline(bench: _Bench) -> dict[str, Any]:
    spec = replace(bench.data.spec, hidden=0, scalars=NAMES, kind="features")
    nothing = Features("none", None, [])
    samples, seen, test = (
        examples_of(bench.data.parts[name].surveys, nothing, spec)
        for name in ("train", "validation", "test")
    )
    return bench.figures(choose_baseline(samples, seen, spec), seen, test)


def _mining(bench: _Bench) -> dict[str, Any]:
    """Off, and on with the scores of the critic trained without, as a next round has it."""
    config: CriticConfig = bench.context.settings.critic
    samples = bench.data.examples["train"]
    first = train(samples, bench.data.examples["validation"], bench.data.spec, config)
    scores = first.critic.logits(samples.inputs).numpy().astype(float)

    def mined(strength: float) -> Callable[[Examples], Examples]:
        return lambda data: replace(
            data, weights=mined_weights(data, scores, share=config.mining_share, weight=strength)
        )

    return {"off": bench.row()} | {
        f"weight {strength:g}": bench.row(alter=mined(strength)) for strength in STRENGTHS
    }


def _sampling(bench: _Bench) -> dict[str, Any]:
    """As many samples of every problem, against as many in all where they teach most.

    The informative plan is the rule's own from the outcomes of half as many of each; both take
    their samples from what is stored, so that a problem has at most what was drawn of it.
    """
    surveys = bench.data.parts["train"].surveys
    have = [len(one.keys) for one in surveys]
    each = max(2, min(have) // 2 * 2)
    half = each // 2
    outcomes = [
        (min(half, n), int(one.passed[:half].sum())) for n, one in zip(have, surveys, strict=True)
    ]
    more = allocate(
        informative_shares(outcomes),
        half * len(surveys),
        room=[max(0, n - half) for n in have],
        most=MOST_AT_ONCE * half,
    )
    uniform = [min(each, n) for n in have]
    informative = [min(half, n) + extra for n, extra in zip(have, more, strict=True)]

    def first(counts: Sequence[int]) -> Callable[[Examples], Examples]:
        return lambda samples: samples.take(
            np.concatenate([rows[:n] for rows, n in zip(samples.rows, counts, strict=True)])
        )

    return {
        f"uniform, {sum(uniform)} samples": bench.row(alter=first(uniform)),
        f"informative, {sum(informative)} samples": bench.row(alter=first(informative)),
    }
