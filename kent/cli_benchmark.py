"""``kent benchmark``: what is measured honestly, part by part."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from kent.cli_app import App, json_option, pass_app, print_json, say
from kent.cli_benchmark_all import every_trainer_options, measure_every_trainer


@click.group(invoke_without_command=True)
@every_trainer_options
@click.pass_context
def benchmark(context: click.Context, /, **options: Any) -> int:
    """Measure every trainer on a frozen copy of the state directory, or one part by its name.

    Each task meets what was learned in a process of its own (isolated); beside it stand what a
    memory kept across tasks would give (shared cache) and what an untrained one gives (cold). A run
    that was cut goes on when the same is asked again.
    """
    if context.invoked_subcommand is not None:
        return 0
    return measure_every_trainer(context.ensure_object(App), **options)


@benchmark.command()
@click.option(
    "--attacks",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Run a folder's programs instead.",
)
@click.option("--rounds", type=click.IntRange(1, 1000), default=3, help="Turns of each contender.")
@click.option(
    "--level",
    type=click.Choice(["auto", "A", "A'", "B", "C", "D"]),
    default="auto",
    help="Of the sandbox, with --attacks.",
)
@json_option
def sandbox(attacks: Path | None, rounds: int, level: str, as_json: bool) -> int:
    """Time the sandbox beside other harnesses, or attack it.

    A program file begins with `# expect: passed` or `# expect: not-passed`; its function is f, the
    hidden tests are f(1) = 2, f(2) = 3, f(10) = 11. Exit code 1: not all were contained.
    """
    from kent import benchmark as bench

    if attacks is None:
        document = bench.sandbox_speed(rounds, say)
        lines = bench.speed_in_lines(document)
    else:
        document = bench.sandbox_attacks(attacks, level)
        lines = bench.attacks_in_lines(document)
    if as_json:
        print_json(document)
    else:
        click.echo("\n".join(lines))
    return 1 if attacks and document["contained"] < document["tried"] else 0


@benchmark.command()
@click.option(
    "--protocol",
    "protocols",
    multiple=True,
    type=click.Choice(["visible1", "seed"]),
    help="By default critic.protocol; may be given twice.",
)
@click.option(
    "--set",
    "sets",
    multiple=True,
    help="mbpp (the default), humaneval, humanevalplus, mbppplus, apps; may be repeated.",
)
@click.option("--samples", type=click.IntRange(2, 1000), help="Of each test problem.")
@click.option("--ablation", is_flag=True, help="Also what each part of the critic is worth.")
@json_option
@pass_app
def critic(
    app: App,
    protocols: tuple[str, ...],
    sets: tuple[str, ...],
    samples: int | None,
    ablation: bool,
    as_json: bool,
) -> int:
    """Measure the critic in use beside the other pickers, on problems that it never saw.

    Samples that are missing are drawn; nothing is trained or decided. It is a round of its own in
    the state directory: one that was cut goes on.
    """
    from kent.benchmark_critic import critic_figures, in_lines

    flags = {
        "benchmark.protocols": ("--protocol", list(protocols) or None),
        "benchmark.sets": ("--set", list(sets) or None),
        "benchmark.samples": ("--samples", samples),
        "benchmark.ablation": ("--ablation", ablation or None),
    }
    return _shown(critic_figures(app.load(**flags)), in_lines, as_json=as_json)


@benchmark.command()
@click.option(
    "--set",
    "task_set",
    metavar="[swebench-lite|swebench-verified|FILE]",
    help="A task file of the shared format, its trees beside it; by default the test tasks.",
)
@click.option(
    "--clones",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of git clones, for a set whose records bring a patch but no code.",
)
@click.option("--date-after", metavar="DATE", help="Only tasks with a later base commit.")
@click.option(
    "--predictions",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the patches in SWE-bench's official form.",
)
@click.option(
    "--score",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Score such a file instead of KENT.",
)
@click.option(
    "--mode",
    "modes",
    multiple=True,
    type=click.Choice(["isolated", "cold", "shared_cache", "bm25"]),
    help="By default all; may be repeated.",
)
@click.option("--limit", type=click.IntRange(1), help="So many tasks, chosen by hash.")
@click.option("--ablation", is_flag=True, help="Also without circuits, without constraints.")
@json_option
@pass_app
def code(
    app: App,
    *,
    task_set: str | None,
    clones: Path | None,
    date_after: str | None,
    predictions: Path | None,
    score: Path | None,
    modes: tuple[str, ...],
    limit: int | None,
    ablation: bool,
    as_json: bool,
) -> int:
    """Measure the code trainer on tasks that it never saw.

    isolated: each task meets a copy of the trained memory that forgets it; cold: nothing was
    learned; shared_cache: one memory for all tasks, which leaks; bm25: the yardstick. What is
    resolved is said by the tests of those tasks that `kent tasks judge` found to run here.
    """
    from kent.benchmark_code import code_figures, in_lines, write_predictions
    from kent.cli_benchmark_all import set_flag

    flags = {
        "benchmark.task_file": ("--set", set_flag(task_set)),
        "benchmark.clones": ("--clones", str(clones.resolve()) if clones else None),
        "benchmark.date_after": ("--date-after", date_after),
        "benchmark.modes": ("--mode", list(modes) or None),
        "benchmark.limit": ("--limit", limit),
        "benchmark.ablation": ("--ablation", ablation or None),
    }
    config = app.load(**flags)
    if score is not None:
        from kent import benchmark_score

        document = benchmark_score.score_file(config, score, limit or 0)
        return _shown(document, benchmark_score.in_lines, as_json=as_json)
    found = code_figures(config)
    if found is not None and predictions is not None:
        count = write_predictions(found, predictions)
        say(f"{count} predictions are in {predictions}")
    return _shown(found, in_lines, as_json=as_json)


@benchmark.command()
@click.option("--limit", type=click.IntRange(1), help="So many test problems, chosen by hash.")
@click.option("--budget", type=click.IntRange(0), help="Tokens for repair, beyond the flood's.")
@json_option
@pass_app
def fractal(app: App, limit: int | None, budget: int | None, as_json: bool) -> int:
    """Measure the repair loop beside fresh samples of the same budget, on problems never learned.

    Both see the visible tests only; the hidden ones score the chosen program once.
    """
    from kent.benchmark_fractal import fractal_figures, in_lines

    flags = {
        "fractal.python.eval_problems": ("--limit", limit),
        "fractal.python.tokens": ("--budget", budget),
    }
    return _shown(fractal_figures(app.load(**flags)), in_lines, as_json=as_json)


@benchmark.command()
@click.option("--limit", type=click.IntRange(4), help="So many test programs; ctm.eval_samples.")
@click.option(
    "--models",
    multiple=True,
    type=click.Choice(["ctm", "trm", "encoder", "backbone"]),
    help="By default all; may be repeated.",
)
@click.option("--seconds", type=click.FloatRange(1), help="Of training for each; 60 by default.")
@click.option(
    "--plots",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write plots of what the CTM's ticks do there, as PNG and SVG.",
)
@json_option
@pass_app
def ctm(
    app: App,
    limit: int | None,
    models: tuple[str, ...],
    seconds: float | None,
    plots: Path | None,
    as_json: bool,
) -> int:
    """Train the CTM and controls of equal size on the same data, and measure them alike.

    Once for equal seconds, and once for as many samples as the slowest had. The data set is the
    stage's own; it is built where there is none.
    """
    from kent.benchmark_ctm import ctm_figures, in_lines, write_plots

    flags = {
        "benchmark.limit": ("--limit", limit),
        "benchmark.ctm_models": ("--models", list(models) or None),
        "benchmark.ctm_seconds": ("--seconds", seconds),
    }
    found = ctm_figures(app.load(**flags))
    if found is not None and plots is not None:
        say(f"{len(write_plots(found, plots))} files with plots are in {plots}")
    return _shown(found, in_lines, as_json=as_json)


def _shown(
    document: dict[str, Any] | None,
    in_lines: Callable[[dict[str, Any]], list[str]],
    *,
    as_json: bool,
) -> int:
    """Print what a benchmark measured; 1 where it measured nothing, which it has told."""
    if document is None:
        return 1
    if as_json:
        print_json(document)
    else:
        click.echo("\n".join(in_lines(document)))
    return 0
