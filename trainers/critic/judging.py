"""After training: the candidate is gated on validation, and the critic in use measured on test."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from memory.records import Figure
from trainers.critic.candidates import Version, champion, kind_of
from trainers.critic.dataset import Part
from trainers.critic.evaluate import (
    Scores,
    critic_figures,
    no_critic_figures,
    score,
    score_held_out,
)
from trainers.critic.pickers import gap_figures, picker_figures, rankings
from trainers.critic.ranking import chance_p, picked, rates, subset_picks
from trainers.critic.training import RoundData
from trainers.gate import Decision, against_champion, against_random, carry_out, looks_so_far
from trainers.platt import reliability
from trainers.stage import StageContext
from trainers.statistics import mean_difference

Array = NDArray[np.float64]

_PROMOTION = """
SELECT candidate, champion, decision, effect, low, high, n, p_value, alpha, looks, reason
FROM promotions WHERE candidate = ? AND actor = 'gate' ORDER BY id
"""


def gate(
    context: StageContext, problem_set: str, candidate: Version, data: RoundData
) -> dict[str, Any]:
    """Decide on the candidate by held-out validation problems and carry that out.

    A candidate that an earlier attempt decided on is only reported.

    Returns:
        ``validation`` (its figures) and ``promotion`` (the decision as it is stored).
    """
    store, row, validation = context.store, candidate.row, data.examples["validation"]
    context.progress.start("gate", 0, "")
    scores = score_held_out(candidate.critic, validation)
    figures = critic_figures(scores, context.seed)
    where = (problem_set, "validation", candidate.critic.spec.protocol)
    store.add_evaluation(row.stage_run_id, row.id, *where, figures)
    if row.status == "candidate":
        _carry_out(
            context, candidate, figures, _decide(context, where, candidate, scores, figures, data)
        )
    return {
        "validation": figures_json(figures),
        "validation_gap_closed": figures["gap_closed"].to_json(),
        "promotion": _promotion(context, row.id),
    }


def measure(
    context: StageContext, problem_set: str, candidate: Version | None, data: RoundData
) -> dict[str, Any]:
    """Measure the champion on test, or where there is none the candidate, and say which."""
    spec, part = data.spec, data.parts["test"]
    context.progress.start("measure on test", 0, "")
    used = champion(context, spec.generator_id, spec.protocol) or candidate
    if used is None:
        return {
            "critic": None,
            "critic_status": None,
            "validation": figures_json(
                no_critic_figures(data.examples["validation"], context.seed)
            ),
            **figures_json(no_critic_figures(data.examples["test"], context.seed)),
        }
    scores = score(used.critic, data.seen_by(context, used, "test"))
    figures = critic_figures(scores, context.seed)
    side = pickers_of(used, scores, part, context.seed)
    owner = candidate.row.stage_run_id if candidate else context.stage_run_id
    stored = figures | {f"gap_closed.{name}": one for name, one in side["gap_closed"].items()}
    context.store.add_evaluation(owner, used.row.id, problem_set, "test", spec.protocol, stored)
    status = context.store.model(used.row.id).status
    return {
        "critic": used.row.id,
        "critic_status": status,
        **figures_json(figures),
        "pickers": figures_json(side["pickers"]),
        "picker_gap_closed": figures_json(side["gap_closed"]),
        "reliability": reliability(scores.probability, scores.examples.outcomes),
    }


def pickers_of(
    version: Version, scores: Scores, part: Part, seed: int
) -> dict[str, dict[str, Figure]]:
    """``pickers`` and ``gap_closed``, each by picker, of a critic on samples that it scored."""
    told = part.signals() | {"logit": scores.logits}
    ranked = rankings(told, version.critic.blends)
    return {
        "pickers": picker_figures(scores.examples, ranked, seed),
        "gap_closed": gap_figures(scores.examples, ranked, seed),
    }


def over_likelihood(scores: Scores, part: Part, seed: int) -> dict[str, Figure]:
    """What a critic wins over picking by the likelihood alone, paired by problem.

    ``critic_over_logprob`` is of all the samples of a problem, ``..._best_of_k`` the mean over its
    subsets, which is less noisy. Undefined where a sample has no likelihood.
    """
    examples, likelihood = scores.examples, part.signals()["logprob"]
    names = ("critic_over_logprob", "critic_over_logprob_best_of_k")
    if np.isnan(likelihood).any():
        return dict.fromkeys(names, Figure(None, None, None, len(examples.problem_ids)))
    passed, rows = examples.outcomes, examples.rows
    pairs = (
        (scores.picked, picked(likelihood, passed, rows)),
        (scores.subset_picks, subset_picks(likelihood, passed, rows)),
    )
    return {
        name: mean_difference(ours, theirs, seed=seed)
        for name, (ours, theirs) in zip(names, pairs, strict=True)
    }


def figures_json(figures: dict[str, Figure]) -> dict[str, Any]:
    """Figures in the form of every ``--json`` output."""
    return {name: figure.to_json() for name, figure in figures.items()}


def _decide(
    context: StageContext,
    where: tuple[str, str, str],
    candidate: Version,
    scores: Scores,
    figures: dict[str, Figure],
    data: RoundData,
) -> "tuple[Decision, dict[str, Figure]]":
    """The decision, and the figures of the alternative: the champion, or random picking."""
    store, row, alpha = context.store, candidate.row, context.settings.critic.alpha
    looks = 1 + looks_so_far(store, kind_of(where[2]), row.id, where[0], where[2])
    spec = candidate.critic.spec
    rival = champion(context, spec.generator_id, spec.protocol)
    validation = scores.examples
    if rival is None:
        base = rates(validation.outcomes, validation.rows)
        other = {"verifier_pass1": figures["baseline_pass1"]}
        chance = chance_p(scores.logits, validation.outcomes, validation.rows, seed=context.seed)
        decided = against_random(
            scores.subset_picks, base, chance, alpha=alpha, looks=looks, seed=context.seed
        )
        return decided, other
    theirs = score_held_out(rival.critic, data.seen_by(context, rival, "validation"))
    other = critic_figures(theirs, context.seed)
    store.add_evaluation(row.stage_run_id, rival.row.id, *where, other)
    return against_champion(
        scores.subset_picks, theirs.subset_picks, alpha=alpha, looks=looks, seed=context.seed
    ), other


def _carry_out(
    context: StageContext,
    candidate: Version,
    figures: dict[str, Figure],
    decided: "tuple[Decision, dict[str, Figure]]",
) -> None:
    decision, alternative = decided
    carry_out(
        context,
        candidate.row,
        decision,
        stage="critic",
        figures=figures_json(figures),
        alternative=figures_json(alternative),
    )


def _promotion(context: StageContext, candidate_id: str) -> dict[str, Any] | None:
    rows = context.store.query(_PROMOTION, (candidate_id,))
    if not rows:
        return None
    row = rows[0]
    effect = Figure(row.pop("effect"), row.pop("low"), row.pop("high"), row.pop("n"))
    return {**row, "effect": effect.to_json()}
