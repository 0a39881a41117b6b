"""The synthetic half of a round: train on from the champion, pass the gate, measure."""

from typing import Any

from trainers.clock import Clock
from trainers.fractal.arms import FirstArm
from trainers.fractal.synthetic import versions
from trainers.fractal.synthetic.gating import decide, problem_set, saved_shares
from trainers.fractal.synthetic.measure import measure
from trainers.fractal.synthetic.versions import KIND, Version
from trainers.gate import carry_out, looks_so_far
from trainers.stage import StageContext
from trainers.statistics import rate
from trainers.synthetic_settings import SyntheticConfig

PROTOCOL = "synthetic"


def run_synthetic(context: StageContext, clock: Clock) -> dict[str, Any]:
    """Train this round's version, let the gate decide, and measure the one in use.

    Raises:
        Stopped: asked to stop; the training goes on from its last checkpoint.
    """
    config = context.settings.fractal.synthetic
    context.progress.start("train the synthetic model", config.training.steps, "steps")

    def stepped(step: int, loss: float) -> None:
        context.progress.done = step

    with clock.timed("synthetic train"):
        candidate = versions.train_version(context, config, stepped)
    with clock.timed("synthetic gate"):
        promotion = _gate(context, config, candidate)
    used = versions.champion(context) or candidate
    return {**measured(context, config, used, clock), "promotion": promotion}


def measured(
    context: StageContext, config: SyntheticConfig, used: Version, clock: Clock
) -> dict[str, Any]:
    """Every figure of a version on test tasks."""
    context.progress.start("synthetic tasks", 2 * config.test_tasks, "tasks")

    def advance(done: int) -> None:
        context.check_stop()
        context.progress.advance(done)

    with clock.timed("synthetic measure"):
        found = measure(used.model, config, "test", FirstArm(), context.seed, advance)
    row = context.store.model(used.row.id)
    return {**found, "model": row.id, "status": row.status}


def _gate(context: StageContext, config: SyntheticConfig, candidate: Version) -> dict[str, Any]:
    """Decide once; what was decided before a cut stays."""
    store, row = context.store, context.store.model(candidate.row.id)
    if row.status != "candidate":
        return {"candidate": row.id, "status": row.status}
    shares = saved_shares(candidate.model, config, context.seed)
    now = versions.champion(context)
    tasks = problem_set(config)
    figure = rate(shares, seed=context.seed)
    store.add_evaluation(
        row.stage_run_id, row.id, tasks, "validation", PROTOCOL, {"budget_left": figure}
    )
    decision = decide(
        shares,
        now.model if now else None,
        config,
        looks=1 + looks_so_far(store, KIND, row.id, tasks, PROTOCOL),
        seed=context.seed,
    )
    reason = carry_out(
        context,
        row,
        decision,
        stage="fractal",
        figures={"budget_left": figure.to_json()},
        alternative={},
        rival=now.row.id if now else "random weights",
    )
    return {"candidate": row.id, "decision": decision.decision, "reason": reason}
