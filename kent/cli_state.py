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
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@pass_app
def backup(app: App, file: Path | None) -> None:
    """Copy the database to FILE, consistently, while the daemon runs; FILE must not exist.

    Without FILE the copy goes to backups/ in the state directory, where the newest ones are kept
    (backup.keep), as the daemon does by itself (backup.every_hours).
    """
    from kent.backups import make_backup
    from memory.maintenance import backup as copy

    if file is None:
        file = make_backup(app.config.state_dir, app.config.backup.keep)
    else:
        copy(app.config.state_dir / "kent.db", file)
    say(f"wrote {file}")


@state.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@pass_app
def restore(app: App, file: Path) -> int:
    """Put a backup in the place of the database, which is kept beside it; no daemon may run."""
    from kent.restore import restore as put_back

    done = put_back(app.config.state_dir, file)
    for note in [*done.notes, *done.findings]:
        click.echo(note)
    kept = f"; what was there is {done.kept}" if done.kept else ""
    say(f"restored from {file}{kept}")
    return 1 if done.findings else 0


@state.command()
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@json_option
@pass_app
def prune(app: App, dry_run: bool, as_json: bool) -> None:
    """Remove what retention lets go: files of old versions, caches over their limit.

    Samples, verdicts and figures stay. While a stage runs, its round and the caches are left alone.
    """
    from kent.instance import read_holder
    from kent.retention import carry_out, plan

    holder = read_holder(app.config.state_dir)
    with app.read_store() if dry_run else app.write_store() as store:
        busy = bool(holder and holder.alive and store.current_round())
        planned = plan(store, app.config.retention, stage_running=busy)
        if not dry_run:
            carry_out(store, planned)
    if as_json:
        versions, files = planned.versions, [one.to_json() for one in planned.files]
        print_json({"versions": versions, "files": files, "bytes": planned.bytes})
    else:
        click.echo("\n".join(planned.in_lines()))


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
