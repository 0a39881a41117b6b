"""The gate: a candidate becomes champion only when held-out problems say that it is better."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from memory.records import Figure, ModelRow
from memory.store import Store
from trainers import statistics
from trainers.stage import StageContext

Array = NDArray[np.float64]

# Candidates that were judged before on the same validation problems: each was a look at them.
_LOOKS = """
SELECT COUNT(DISTINCT p.candidate) AS looks FROM promotions p
JOIN evaluations e ON e.model_id = p.candidate
WHERE p.kind = :kind AND p.candidate <> :candidate
  AND e.split = 'validation' AND e.problem_set = :problem_set AND e.protocol = :protocol
"""


@dataclass(frozen=True)
class Decision:
    """What the gate says and why; ``alpha`` is what was left of it for this look.

    ``rival`` says against whom: ``champion`` or ``random picking``.
    """

    decision: Literal["promoted", "kept"]
    effect: Figure
    p_value: float
    alpha: float
    looks: int
    reason: str
    rival: str


def looks_so_far(store: Store, kind: str, candidate: str, problem_set: str, protocol: str) -> int:
    """How many other candidates were decided on these validation problems."""
    asked = {
        "kind": kind, "candidate": candidate, "problem_set": problem_set, "protocol": protocol,
    }  # fmt: skip
    return int(store.query(_LOOKS, asked)[0]["looks"])


def against_champion(
    candidate: Array, champion: Array, *, alpha: float, looks: int, seed: int
) -> Decision:
    """Test whether the candidate is better than the champion on the same samples.

    The test is exact: McNemar's for values of 0 and 1, else the paired randomisation test. A pick
    averaged over many choices of samples (``ranking.subset_picks``) needs far fewer problems for
    the same power than one pick a problem.

    Args:
        candidate: (problems,) in [0, 1], how often its choice passes.
        champion: the same for the champion, on the same samples.
        alpha: of the whole series of looks.
        looks: which look at these problems this is, from 1.
        seed: of the interval's resampling and of the test's drawn signs.
    """
    compared = statistics.compare_paired(candidate, champion, alpha=alpha, looks=looks, seed=seed)
    return _decide(compared.effect, compared.p_value, compared.threshold, looks, "the champion")


def against_random(
    candidate: Array, rates: Array, p_value: float, *, alpha: float, looks: int, seed: int
) -> Decision:
    """Decide whether the candidate's choice is better than a random sample of the same problem.

    Args:
        candidate: (problems,) in [0, 1], how often its choice passes.
        rates: (problems,) pass rates.
        p_value: of the exact permutation test (``ranking.chance_p``).
        alpha: of the whole series of looks.
        looks: which look at these problems this is, from 1.
        seed: of the interval's resampling.
    """
    effect = statistics.mean_difference(candidate, rates, seed=seed)
    threshold = statistics.look_threshold(alpha, looks)
    return _decide(effect, p_value, threshold, looks, "random picking")


def carry_out(
    context: StageContext,
    candidate: ModelRow,
    decision: Decision,
    *,
    stage: str,
    figures: Mapping[str, Any],
    alternative: Mapping[str, Any],
    rival: str | None = None,
) -> str:
    """Record a decision with what both sides measured, carry it out, and say so in an event.

    Args:
        context: of the stage that decides.
        candidate: the version decided on.
        decision: what the gate says.
        stage: the first word of the event's kind.
        figures: of the candidate, as JSON values.
        alternative: of its rival.
        rival: its name, for ``the champion`` in the reason.

    Returns:
        The reason as it was stored.
    """
    reason = decision.reason.replace("the champion", rival) if rival else decision.reason
    context.store.promote(
        candidate.id,
        candidate.stage_run_id,
        decision=decision.decision,
        effect=decision.effect,
        p_value=decision.p_value,
        alpha=decision.alpha,
        looks=decision.looks,
        reason=reason,
        figures=figures,
        alternative=alternative,
    )
    context.store.event(
        f"{stage}.{decision.decision}",
        f"{candidate.id} {decision.decision}: {reason}",
        round_id=context.round_id,
        stage_run_id=context.stage_run_id,
    )
    return reason


def _decide(effect: Figure, p_value: float, threshold: float, looks: int, rival: str) -> Decision:
    promoted = p_value <= threshold
    shown = "no problems" if effect.value is None else f"{100 * effect.value:+.1f} points"
    reason = (
        f"{shown} against {rival} on {effect.n} validation problems, one-sided p = {p_value:.3g} "
        f"{'<=' if promoted else '>'} {threshold:.3g} (look {looks})"
    )
    decision: Literal["promoted", "kept"] = "promoted" if promoted else "kept"
    return Decision(decision, effect, p_value, threshold, looks, reason, rival)
