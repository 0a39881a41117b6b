"""The critic's benchmark: a round of its own in the state directory, and its tables."""

from typing import Any

from kent.config import KentConfig
from memory.store import Store

STAGE = "trainers.critic.benchmark:CriticBenchmark"

Json = dict[str, Any]


def critic_figures(config: KentConfig) -> Json | None:
    """Run the benchmark in the foreground; None where it was stopped or failed, which it told.

    Raises:
        AlreadyRunning: a daemon holds the state directory.
        DaemonError: another round was cut, and it has other stages.
    """
    return run_benchmark_round(config, STAGE)


def run_benchmark_round(config: KentConfig, stage: str) -> Json | None:
    """Run a stage that measures as a round of its own; its metrics, or None as above."""
    from kent.cli_app import say
    from kent.daemon import run_one_round
    from kent.stages import short_name

    stages = config.stages.model_copy(update={"enabled": (stage,)})
    outcome = run_one_round(config.model_copy(update={"stages": stages}), named=True)
    with Store.open(config.state_dir / "kent.db", read_only=True) as store:
        runs = store.stage_runs(outcome.round_id)
    last = [run for run in runs if run.stage == short_name(stage)][-1]
    if outcome.status != "done":
        say(f"kent: error: the benchmark {outcome.status}: {last.error or 'run it again to go on'}")
        return None
    return last.metrics


def in_lines(document: Json) -> list[str]:
    """A table for each test set and protocol, the ablation's tables, and the speed."""
    lines: list[str] = []
    for result in document["results"]:
        lines += [*_result(result), ""]
    for protocol, tables in document["ablation"].items():
        for name, rows in tables.items():
            lines += [f"{name} ({protocol})", *_ablation(rows), ""]
    speed = document["speed"]
    scored = speed["programs_per_s"]
    lines.append(
        f"scored: {'-' if scored is None else f'{scored:.1f}'} programs/s, "
        f"{speed['cached_programs_per_s']:,.0f}/s with cached features"
    )
    shares = ", ".join(f"{name} {share:.0%}" for name, share in document["round_share"].items())
    if shares:
        lines.append(f"time of the last round: {shares}")
    return lines


def _result(result: Json) -> list[str]:
    lines = [
        f"{result['test_set']}, protocol {result['protocol']}: {result['n_problems']} problems, "
        f"{result['n_samples']} samples of {result['generator']}, {result['critic']} "
        f"({result['critic_kind']}, {result['critic_status']})",
        f"{'picker':26}{'passes, %':>22}{'gap closed, %':>26}",
    ]
    for name, figure in result["pickers"].items():
        gap = result["gap_closed"][name]
        lines.append(f"{name:26}{_percent(figure):>22}{_percent(gap):>26}")
    lines.append(
        f"AUC within problem {_fraction(result['auc_within_problem'])}; calibration error "
        f"{_fraction(result['ece_before'])} before, {_fraction(result['ece_after'])} after"
    )
    lines.append(
        f"the critic over the likelihood alone, points: {_percent(result['critic_over_logprob'])}; "
        f"best of k {_percent(result['critic_over_logprob_best_of_k'])}"
    )
    lines.append(
        f"pass/fail accuracy on validation: {_percent(result['val_accuracy_by_problem'])} % split "
        f"by problem, {_percent(result['val_accuracy_by_sample'])} % split by sample (the seed's)"
    )
    return lines


def _ablation(rows: Json) -> list[str]:
    lines = [f"  {'':28}{'validation gain':>24}{'gap closed, %':>26}{'AUC':>26}"]
    for name, row in rows.items():
        cells = (
            f"{_percent(row['validation_gain']):>24}",
            f"{_percent(row['gap_closed']):>26}",
            f"{_fraction(row['auc_within_problem']):>26}",
        )
        lines.append(f"  {name:28}{''.join(cells)}")
    return lines


def _percent(figure: Json) -> str:
    return _shown(figure, 100, ".1f")


def _fraction(figure: Json) -> str:
    return _shown(figure, 1, ".3f")


def _shown(figure: Json, times: float, form: str) -> str:
    if figure["value"] is None:
        return "-"
    value, low, high = (
        None if figure[name] is None else format(times * figure[name], form)
        for name in ("value", "low", "high")
    )
    return f"{value}" if low is None else f"{value} ({low} to {high})"
