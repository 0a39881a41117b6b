"""``kent state``: care of the store."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from kent.cli_app import App, json_option, pass_app, print_json, say

if TYPE_CHECKING:
    from memory.records import Split


@click.group()
def state() -> None:
    """Care of the store: back it up, look for damage, take out what is in it."""


@state.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@pass_app
def backup(app: App, file: Path) -> None:
    """Copy the database to FILE, consistently, while the daemon runs; FILE must not exist."""
    from memory.maintenance import backup as copy

    copy(app.config.state_dir / "kent.db", file)
    say(f"wrote {file}")


@state.command()
@json_option
@pass_app
def verify(app: App, as_json: bool) -> int:
    """Look for damage: integrity, foreign keys, checkpoint hashes, split guard."""
    from memory.maintenance import verify as examine

    findings = examine(app.config.state_dir)
    if as_json:
        print_json({"clean": not findings, "findings": findings})
    else:
        click.echo("\n".join(findings) or "clean")
    return 1 if findings else 0


@state.group()
def export() -> None:
    """Take out what is in the store, to use it elsewhere."""


@export.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test", "all"]),
    default="train",
    show_default=True,
    help="Of which problems; held-out ones only when they are named.",
)
@click.option("--source", help="Only of mbpp, humaneval, basics ...")
@click.option("--generator", help="Only those that this generator's id names.")
@click.option("--protocol", help="Only those under this prompt, such as visible1/v1.")
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@pass_app
def samples(
    app: App,
    file: Path,
    split: "Split | Literal['all']",
    source: str | None,
    generator: str | None,
    protocol: str | None,
    force: bool,
) -> None:
    """Write the judged samples to FILE as JSON lines, packed where it ends in .gz.

    The first line says what is in it, under which licences; each other is one sample with its
    problem, prompt, program and verdict: all that training a critic elsewhere needs.
    """
    from kent.export import export_samples
    from kent.version import code_version
    from memory.sample_stream import SampleFilter

    wanted = SampleFilter(None if split == "all" else split, source, generator, protocol)
    header = export_samples(
        app.config.state_dir / "kent.db", file, wanted, code_version=code_version(), force=force
    )
    left = f", {header['not_judged']} not judged and left out" if header["not_judged"] else ""
    say(f"wrote {file}: {header['samples']} samples of {header['problems']} problems{left}")
