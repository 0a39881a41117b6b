"""``kent tasks``: the problems that the store has, and their import."""

import os
from dataclasses import asdict

import click

from kent.cli_app import App, json_option, pass_app, print_json, say
from kent.errors import KentError


@click.group()
def tasks() -> None:
    """Problems: where they came from, their split, what a model made of them."""


@tasks.command("import")
@pass_app
def import_(app: App) -> None:
    """Read the problems of the configured sources into the store; twice is once."""
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


@tasks.command("list")
@click.option(
    "--split", type=click.Choice(["train", "validation", "test", "prompt"]), help="Only these."
)
@click.option("--source", help="Only of mbpp, humaneval, apps, basics ...")
@json_option
@pass_app
def list_(app: App, split: str | None, source: str | None, as_json: bool) -> None:
    """List the problems with their split, their samples and how many of these passed."""
    with app.read_store() as store:
        rows = store.query(_COUNTS, {"split": split, "source": source})
    if as_json:
        print_json(rows)
        return
    for row in rows:
        figures = f"{row['passed']}/{row['samples']} passed" if row["samples"] else "no samples"
        click.echo(f"{row['id']:24} {row['split']:12} {figures}")
    if not rows:
        say("no such problems in the store; `kent tasks import` reads them")


@tasks.command()
@click.argument("problem_id", metavar="ID")
@json_option
@pass_app
def show(app: App, problem_id: str, as_json: bool) -> None:
    """Show one problem: its statement, visible tests, reference and split."""
    with app.read_store() as store:
        found = [row for row in store.problems() if row.id == problem_id]
    if not found:
        raise KentError(f"no problem {problem_id!r} in the store; see `kent tasks list`")
    row = found[0]
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
