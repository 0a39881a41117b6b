"""``kent tasks``: the problems and SWE tasks that the store has, and their import."""

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from kent.cli_app import App, json_option, pass_app, print_json, say
from kent.cli_tasks_ctm import build_ctm
from kent.cli_tasks_judge import judge
from kent.cli_tasks_swe import humanevalfix, injected, mine, quixbugs, swe
from kent.errors import KentError

if TYPE_CHECKING:
    from memory.records import ProblemRow
    from memory.swe_tasks import SweTaskRow


@click.group()
def tasks() -> None:
    """Problems and SWE tasks: where they came from, their split, what a model made of them."""


@tasks.group("import", invoke_without_command=True)
@click.pass_context
def import_(context: click.Context) -> None:
    """Read the problems of the configured sources, or SWE tasks, into the store; twice is once."""
    if context.invoked_subcommand is None:
        _import_problems(context.find_object(App) or App())


for command in (swe, quixbugs, humanevalfix, injected):
    import_.add_command(command)
tasks.add_command(mine)
tasks.add_command(judge)
tasks.add_command(build_ctm)


def _import_problems(app: App) -> None:
    from memory.store import Store
    from trainers.tasks import load_problems

    loaded = load_problems(app.config.tasks, os.environ)
    with Store.open(app.config.state_dir / "kent.db") as store:
        new = store.add_problems(loaded.rows, loaded.rule)
    for note in loaded.notes:
        say(note)
    click.echo(f"{len(loaded.rows)} problems, {new} of them new; trained on: {loaded.train_source}")


_COUNTS = """
SELECT p.id, p.source, s.split, count(DISTINCT x.id) AS samples,
       count(DISTINCT x.id) FILTER (WHERE v.verdict = 'passed') AS passed
FROM problems p JOIN splits s ON s.problem_id = p.id
LEFT JOIN samples x ON x.problem_id = p.id
LEFT JOIN verdicts v ON v.program_hash = x.program_hash AND v.tests_hash = p.tests_hash
WHERE (:split IS NULL OR s.split = :split) AND (:source IS NULL OR p.source = :source)
GROUP BY p.id ORDER BY p.id
"""
_SWE = """
SELECT id, source, repo, split, base_commit, base_date, issue FROM swe_tasks
WHERE (:split IS NULL OR split = :split) AND (:source IS NULL OR source = :source) ORDER BY id
"""


@tasks.command("list")
@click.option(
    "--split", type=click.Choice(["train", "validation", "test", "prompt"]), help="Only these."
)
@click.option("--source", help="Only of mbpp, humaneval ..., of swe, mined, git, injected ...")
@click.option("--swe", "of_swe", is_flag=True, help="SWE tasks instead of problems.")
@json_option
@pass_app
def list_(app: App, split: str | None, source: str | None, of_swe: bool, as_json: bool) -> None:
    """List the problems with their split, their samples and how many of these passed."""
    with app.read_store() as store:
        if of_swe:
            _list_swe(store.query(_SWE, {"split": split, "source": source}), as_json)
            return
        rows = store.query(_COUNTS, {"split": split, "source": source})
    if as_json:
        print_json(rows)
        return
    for row in rows:
        figures = f"{row['passed']}/{row['samples']} passed" if row["samples"] else "no samples"
        click.echo(f"{row['id']:24} {row['split']:12} {figures}")
    if not rows:
        say("no such problems in the store; `kent tasks import` reads them")


def _list_swe(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    for row in rows:
        title = row["issue"].strip().partition("\n")[0][:60]
        click.echo(f"{row['id']:40} {row['split']:12} {title}")
    if not rows:
        say("no such SWE tasks in the store; `kent tasks import swe` or `mine` reads some")


@tasks.command()
@click.argument("task_id", metavar="ID")
@json_option
@pass_app
def show(app: App, task_id: str, as_json: bool) -> None:
    """Show one problem or SWE task: its statement, its tests, its split and its solution."""
    with app.read_store() as store:
        problem = next((row for row in store.problems() if row.id == task_id), None)
        task = None if problem else next(store.swe_tasks(ids=[task_id]), None)
    if problem is not None:
        _show_problem(problem, as_json)
    elif task is not None:
        _show_swe(task, as_json)
    else:
        raise KentError(
            f"no problem and no SWE task {task_id!r} in the store; see `kent tasks list`, and with "
            "--swe"
        )


def _show_problem(row: "ProblemRow", as_json: bool) -> None:
    if as_json:
        print_json(asdict(row))
        return
    click.echo(f"{row.id}: {row.source}, {row.split}, function {row.entry_point}\n")
    click.echo(row.statement.strip() + "\n")
    click.echo("\n".join(row.visible_tests))
    mode, why = row.tests.get("mode"), row.tests.get("reason", "")
    click.echo(f"\njudged in {mode} mode" + (f": {why}" if why else ""))
    if row.reference:
        click.echo("\n" + row.reference.strip())


def _show_swe(row: "SweTaskRow", as_json: bool) -> None:
    if as_json:
        print_json(asdict(row))
        return
    commit = f", base {row.base_commit}" if row.base_commit else ""
    click.echo(f"{row.id}: {row.source}, {row.split}, {row.repo}{commit}\n")
    click.echo(row.issue.strip() + "\n")
    judge = row.body.get("judge") or {}
    click.echo(f"judged as a {judge['kind']}" if judge else "not judged by tests")
    click.echo("\n" + row.body.get("patch", "").rstrip("\n"))
