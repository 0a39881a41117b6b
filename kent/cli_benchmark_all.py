"""``kent benchmark`` without a trainer's name: all of them in one run, one table."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from kent.cli_app import App, json_option, print_json, say
from kent.errors import ConfigError

F = TypeVar("F", bound=Callable[..., Any])

_PARTS = ("critic", "fractal", "code", "ctm", "sandbox")
_SWE = ("swebench-lite", "swebench-verified")


def every_trainer_options(command: F) -> F:
    """Add the options of a run over all trainers."""
    options = (
        click.option("--limit", type=click.IntRange(4), help="Test problems or tasks a trainer."),
        click.option("--seed", type=click.IntRange(0), help="Fixes order and chance."),
        click.option(
            "--set",
            "sets",
            multiple=True,
            help="mbpp, humaneval, humanevalplus, mbppplus, apps; swebench-lite, "
            "swebench-verified, or a file of SWE tasks; may be repeated.",
        ),
        click.option("--part", "parts", multiple=True, type=click.Choice(_PARTS),
                     help="By default all; may be repeated."),
        click.option("--isolated", is_flag=True, help="Only this mode, and those named beside it."),
        click.option("--shared-cache", is_flag=True, help="A memory kept across tasks: it leaks."),
        click.option("--cold", is_flag=True, help="Nothing that was learned."),
        click.option("--date-after", metavar="DATE", help="Only SWE tasks with a later base."),
        click.option("--replay", metavar="RUN", help="Measure a run's stored samples anew."),
        click.option("--html", type=click.Path(dir_okay=False, path_type=Path),
                     help="Write the table as a page, too."),
        json_option,
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def measure_every_trainer(
    app: App,
    *,
    limit: int | None,
    seed: int | None,
    sets: tuple[str, ...],
    parts: tuple[str, ...],
    isolated: bool,
    shared_cache: bool,
    cold: bool,
    date_after: str | None,
    replay: str | None,
    html: Path | None,
    as_json: bool,
) -> int:
    """Run it, print the table; 1 where no trainer could be measured, or it was stopped."""
    from kent import benchmark_run, benchmark_table
    from kent.benchmark_runs import Asked
    from trainers.honest.contamination import look

    named = {"isolated": isolated, "shared_cache": shared_cache, "cold": cold}
    modes = tuple(mode for mode, wanted in named.items() if wanted) or tuple(named)
    config = app.load(**_flags(seed, sets, date_after))
    asked = Asked(
        config.seed, limit or 0, sets, (*modes, "bm25"), parts or _PARTS, date_after or ""
    )
    document = benchmark_run.measure(
        config, asked, replay, contamination=lambda store: look(store).to_json()
    )
    if document is None:
        say("kent: the benchmark was stopped; ask for the same again and it goes on")
        return 1
    if html is not None:
        html.write_text(benchmark_table.as_page(document), "utf-8")
        say(f"the page is {html}")
    if as_json:
        print_json(document)
    else:
        click.echo("\n".join(benchmark_table.in_lines(document)))
    return 0 if any(part["status"] == "done" for part in document["parts"].values()) else 1


def set_flag(name: str | None) -> str | None:
    """A set of SWE-bench's by name, or a file by its whole path.

    Raises:
        ConfigError: it is neither.
    """
    if name is None or name in _SWE:
        return name
    path = Path(name).expanduser()
    if not path.exists():
        raise ConfigError(f"--set: {name} is neither {', '.join(_SWE)} nor a file")
    return str(path.resolve())


def _flags(
    seed: int | None, sets: tuple[str, ...], date_after: str | None
) -> dict[str, tuple[str, Any]]:
    problems = [name for name in sets if name in _PROBLEM_SETS]
    swe = [name for name in sets if name not in _PROBLEM_SETS]
    if len(swe) > 1:
        raise ConfigError(f"--set: one set of SWE tasks a run, not {len(swe)}")
    if date_after is not None:
        check_date(date_after)
    return {
        "seed": ("--seed", seed),
        "benchmark.sets": ("--set", problems or None),
        "benchmark.task_file": ("--set", set_flag(swe[0]) if swe else None),
        "benchmark.date_after": ("--date-after", date_after),
    }


_PROBLEM_SETS = ("mbpp", "humaneval", "humanevalplus", "mbppplus", "apps")


def check_date(text: str) -> None:
    """Refuse what is no date.

    Raises:
        ConfigError: it is none.
    """
    try:
        datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"--date-after: {text!r} is no date like 2023-01-31") from error
