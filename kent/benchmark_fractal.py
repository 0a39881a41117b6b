"""The fractal coder's benchmark: a round of its own in the state directory, and its tables."""

from typing import Any

from kent.benchmark_critic import run_benchmark_round
from kent.config import KentConfig
from trainers.fractal.benchmark import FractalBenchmark

STAGE = "kent.benchmark_fractal:fractal_benchmark"

Json = dict[str, Any]


def fractal_benchmark() -> FractalBenchmark:
    """The stage that measures, with its partners."""
    from kent.partners import editors, open_chooser
    from trainers.fractal.python.partners import Partners

    # No fix is mined for it: a benchmark writes nothing that a trainer could learn from.
    return FractalBenchmark(
        Partners(lambda context: editors(context.store, context.state_dir), open_chooser)
    )


def fractal_figures(config: KentConfig) -> Json | None:
    """Run the benchmark in the foreground; None where it was stopped or failed, which it told.

    Raises:
        AlreadyRunning: a daemon holds the state directory.
        DaemonError: another round was cut, and it has other stages.
    """
    found = run_benchmark_round(config, STAGE)
    if found is None:
        return None
    python = found["python"]
    told = {name: part for name, part in found.items() if "." not in name}
    return told | {
        "python": {**python["figures"], **{k: v for k, v in python.items() if k != "figures"}}
    }


def in_lines(document: Json) -> list[str]:
    """The loop beside resampling, and what each arm and kind of failure brought."""
    python, synthetic = document["python"], document["synthetic"]
    lines = [
        f"synthetic: {synthetic['pass_loop']['n']} tasks, {synthetic['model']}",
        f"  {'pass@1 of a candidate':34}{_percent(synthetic['pass1'])}",
        f"  {'resampling at equal budget':34}{_percent(synthetic['resample_equal_budget'])}",
        f"  {'the loop':34}{_percent(synthetic['pass_loop'])}",
        f"  {'the loop, twice as long':34}{_percent(synthetic['twice_as_long']['pass_loop'])}",
        f"  {'tokens, resampling over the loop':34}{_number(synthetic['tokens_ratio'])}",
        f"  {'the wrong root blamed first':34}{_percent(synthetic['localisation_top1'])}",
        "",
        f"real Python: {python['pass_loop']['n']} problems of {python['problem_set']}, protocol "
        f"{python['protocol']}, {python['generator']}",
        *(f"  {note}" for note in python["notes"]),
        f"  {'pass@1 of a sample':34}{_percent(python['pass1'])}",
        f"  {'resampling at equal budget':34}{_percent(python['resample_equal_budget'])}",
        f"  {'the loop':34}{_percent(python['pass_loop'])}",
        f"  {'difference, paired, points':34}{_percent(python['difference'])}",
    ]
    for way, figure in python["tokens_per_solved"].items():
        lines.append(f"  {f'tokens a solved problem, {way}':34}{_number(figure)}")
    lines += [
        "",
        f"  {'arm':12}{'patches':>8}{'finds, %':>22}{'of these right, %':>22}{'tokens':>24}",
    ]
    lines += [
        f"  {row['arm']:12}{row['patches']:>8}{_percent(row['passes_visible']):>22}"
        f"{_percent(row['right_of_passing']):>22}{_number(row['tokens_per_patch']):>24}"
        for row in python["by_arm"]
    ]
    lines += ["", f"  {'flood fails by':16}{'problems':>9}{'loop, %':>22}{'resampling, %':>22}"]
    lines += [
        f"  {row['kind']:16}{row['pass_loop']['n']:>9}{_percent(row['pass_loop']):>22}"
        f"{_percent(row['resample_equal_budget']):>22}"
        for row in python["by_error_kind"]
    ]
    return lines


def _percent(figure: Json) -> str:
    return _shown(figure, 100)


def _number(figure: Json) -> str:
    return _shown(figure, 1)


def _shown(figure: Json, times: float) -> str:
    if figure["value"] is None:
        return "-"
    if figure["low"] is None:
        return f"{times * figure['value']:.1f}"
    value, low, high = (times * figure[name] for name in ("value", "low", "high"))
    return f"{value:.1f} ({low:.1f} to {high:.1f})"
