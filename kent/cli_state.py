"""``kent state``: care of the store."""

from pathlib import Path

import click

from kent.cli_app import App, json_option, pass_app, print_json, say


@click.group()
def state() -> None:
    """Care of the store: back it up, look for damage."""


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
