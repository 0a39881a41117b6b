"""After training: the candidate is gated on validation, and the critic in use measured on test."""

from typing import Any

import numpy as np

from memory.records import Figure
from trainers.critic.candidates import KIND, Version, champion
from trainers.critic.evaluate import (
    baseline_rates,
    critic_figures,
    no_critic_figures,
    score,
    score_held_out,
)
from trainers.critic.examples import Examples
from trainers.critic.gate import Decision, against_champion, against_random, looks_so_far
from trainers.critic.model import CriticSpec
from trainers.stage import StageContext

_PROMOTION = """
SELECT candidate, champion, decision, effect, low, high, n, p_value, alpha, looks, reason
FROM promotions WHERE candidate = ? AND actor = 'gate' ORDER BY id
"""


def gate(
    context: StageContext, problem_set: str, candidate: Version, validation: Examples
) -> dict[str, Any]:
    """Decide on the candidate by held-out validation problems and carry that out.

    A candidate that an earlier attempt decided on is only reported.

    Returns:
        ``validation`` (its figures) and ``promotion`` (the decision as it is stored).
    """
    store, row, spec = context.store, candidate.row, candidate.critic.spec
    scores = score_held_out(candidate.critic, validation)
    figures = critic_figures(scores, context.seed)
    where = (problem_set, "validation", spec.protocol)
    store.add_evaluation(row.stage_run_id, row.id, *where, figures)
    if row.status == "candidate":
        decision = _decide(context, where, candidate, scores.picked, validation)
        _carry_out(context, candidate, decision)
    return {"validation": figures_json(figures), "promotion": _promotion(context, row.id)}


def measure(
    context: StageContext,
    problem_set: str,
    candidate: Version | None,
    spec: CriticSpec,
    validation: Examples,
    test: Examples,
) -> dict[str, Any]:
    """Measure the champion on test, or where there is none the candidate, and say which."""
    used = champion(context, spec) or candidate
    if used is None:
        return {
            "critic": None,
            "critic_status": None,
            "validation": figures_json(no_critic_figures(validation, context.seed)),
            **figures_json(no_critic_figures(test, context.seed)),
        }
    figures = critic_figures(score(used.critic, test), context.seed)
    owner = candidate.row.stage_run_id if candidate else context.stage_run_id
    context.store.add_evaluation(owner, used.row.id, problem_set, "test", spec.protocol, figures)
    status = context.store.model(used.row.id).status
    return {"critic": used.row.id, "critic_status": status, **figures_json(figures)}


def figures_json(figures: dict[str, Figure]) -> dict[str, Any]:
    """Figures in the form of every ``--json`` output."""
    return {name: figure.to_json() for name, figure in figures.items()}


def _decide(
    context: StageContext,
    where: tuple[str, str, str],
    candidate: Version,
    picked: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    validation: Examples,
) -> Decision:
    store, row, alpha = context.store, candidate.row, context.settings.critic.alpha
    looks = 1 + looks_so_far(store, KIND, row.id, where[0], where[2])
    rival = champion(context, candidate.critic.spec)
    if rival is None:
        rates = baseline_rates(validation)
        return against_random(picked, rates, alpha=alpha, looks=looks, seed=context.seed)
    scores = score_held_out(rival.critic, validation)
    store.add_evaluation(
        row.stage_run_id, rival.row.id, *where, critic_figures(scores, context.seed)
    )
    return against_champion(picked, scores.picked, alpha=alpha, looks=looks, seed=context.seed)


def _carry_out(context: StageContext, candidate: Version, decision: Decision) -> None:
    context.store.promote(
        candidate.row.id,
        candidate.row.stage_run_id,
        decision=decision.decision,
        effect=decision.effect,
        p_value=decision.p_value,
        alpha=decision.alpha,
        looks=decision.looks,
        reason=decision.reason,
    )
    context.store.event(
        f"critic.{decision.decision}",
        f"{candidate.row.id} {decision.decision}: {decision.reason}",
        round_id=context.round_id,
        stage_run_id=context.stage_run_id,
    )


def _promotion(context: StageContext, candidate_id: str) -> dict[str, Any] | None:
    rows = context.store.query(_PROMOTION, (candidate_id,))
    if not rows:
        return None
    row = rows[0]
    effect = Figure(row.pop("effect"), row.pop("low"), row.pop("high"), row.pop("n"))
    return {**row, "effect": effect.to_json()}
