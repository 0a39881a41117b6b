"""``kent solve``: what was learned, put to use."""

import re
import sys
from pathlib import Path

import click

from kent.cli_app import App, json_option, pass_app, print_json, say
from kent.errors import ConfigError

_LONGEST_NAME = 4096
_FILE_NAME = re.compile(r"[\w./~-]+\.(?:txt|md|py|rst)")


@click.command()
@click.argument("statement", required=False)
@click.option(
    "--file",
    "statement_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read the statement from a file.",
)
@click.option(
    "--repo",
    "repository",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Propose a patch for this repository instead; nothing in it is changed.",
)
@click.option(
    "--issue",
    "issue_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --repo: the file with the issue's text; else STATEMENT is the issue.",
)
@click.option("--stub", help="The function's first lines: signature and docstring.")
@click.option("--function", "entry_point", help="Its name; else taken from a test or the stub.")
@click.option("--test", "tests", multiple=True, help="`assert f(2) == 4`; may be repeated.")
@click.option(
    "--tests",
    "tests_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with one such test a line.",
)
@click.option(
    "--budget",
    type=click.IntRange(0, 10_000_000),
    default=1500,
    show_default=True,
    help="Tokens for repair where no program passes the tests; 0: none.",
)
@click.option("--explain", is_flag=True, help="Also say what was tried, and what failed where.")
@click.option(
    "--samples",
    "--n",
    type=click.IntRange(1, 1000),
    default=16,
    show_default=True,
    help="Programs to write, of which one is picked.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the sampling."
)
@json_option
@pass_app
def solve(
    app: App,
    *,
    statement: str | None,
    statement_file: Path | None,
    repository: Path | None,
    issue_file: Path | None,
    stub: str | None,
    entry_point: str | None,
    tests: tuple[str, ...],
    tests_file: Path | None,
    budget: int,
    explain: bool,
    samples: int,
    seed: int,
    as_json: bool,
) -> int:
    """Write a function that does what STATEMENT says: sample, run, repair, rank, print the best.

    STATEMENT is the text itself, the name of a file with it, or - for standard input; Python that
    begins a function is completed.

    The program goes to standard output; how it was picked, and how likely it passes, beside it.
    Exit code 1: tests were given and no sample passes them all.

    With --repo: a unified diff that `git apply` takes, from patterns of past fixes and without a
    language model; where, why and how sure beside it. Exit code 1: there is no patch.
    """
    if issue_file and statement_file:
        raise ConfigError("--issue and --file name two texts: give one of them")
    file = issue_file or statement_file
    text = file.read_text(encoding="utf-8", errors="replace") if file else _given(statement)
    tests = (*tests, *_lines_of(tests_file))
    if repository is not None:
        if tests or stub or entry_point:
            raise ConfigError("--test, --stub and --function are of no use with --repo: leave out")
        return _solve_repository(app, repository, text or "", as_json=as_json)
    if issue_file is not None:
        raise ConfigError("--issue goes with --repo: name the repository that it is about")
    from kent.solve import as_problem, is_stub, solve_problem

    if stub is None and text and is_stub(text):
        text, stub = None, text
    problem = as_problem(text, stub=stub, entry_point=entry_point, tests=tests)
    found = solve_problem(
        app.config, problem, samples=samples, seed=seed, budget=budget,
        tell=say if explain else lambda line: None,
    )  # fmt: skip
    solution = found.solution
    if as_json:
        print_json(found.to_json())
    else:
        click.echo(solution.code.rstrip())
        say(found.line())
    return 1 if solution.tests_passed is False else 0


def _given(statement: str | None) -> str | None:
    """The text that STATEMENT stands for.

    Raises:
        ConfigError: it reads like the name of a file that is not there.
    """
    if statement == "-":
        return sys.stdin.read()
    if statement and _FILE_NAME.fullmatch(statement) and not Path(statement).exists():
        raise ConfigError(f"there is no file {statement}; give a file, the text itself, or -")
    if statement and len(statement) < _LONGEST_NAME and Path(statement).is_file():
        return Path(statement).read_text(encoding="utf-8", errors="replace")
    return statement


def _lines_of(file: Path | None) -> tuple[str, ...]:
    """The tests of a file, one a line; comments and empty lines are none."""
    if file is None:
        return ()
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    found = tuple(line for line in lines if line and not line.startswith("#"))
    if not found:
        raise ConfigError(f"{file} holds no test; write e.g. 'assert f(2) == 4', one a line")
    return found


def _solve_repository(app: App, repository: Path, issue: str, *, as_json: bool) -> int:
    from kent.solve_repo import solve_repository

    found = solve_repository(app.config, repository, issue, say)
    if as_json:
        print_json(found.to_json())
    else:
        for line in found.lines():
            say(line)
        click.echo(found.diff, nl=False)
    return 0 if found.diff else 1
