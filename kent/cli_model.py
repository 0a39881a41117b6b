"""``kent model``: weights of generators by name, and the trained versions."""

from typing import TYPE_CHECKING

import click

from kent.cli_app import App, json_option, pass_app, print_json, say
from kent.disk import in_words

if TYPE_CHECKING:
    from kent.promotion import Act


@click.group()
def model() -> None:
    """Weights: list, fetch, check them; trained versions: list, promote, roll back."""


@model.command("list")
@json_option
@pass_app
def list_(app: App, as_json: bool) -> None:
    """List the known models and what of them is on the disk."""
    from trainers.generators.weights import status

    found = status(app.config.weights_dir)
    if as_json:
        print_json(
            [
                {
                    "name": one.source.name,
                    "quantisation": one.source.quantisation,
                    "size_bytes": one.source.size,
                    "sha256": one.source.sha256,
                    "licence": one.source.licence,
                    "path": str(one.path),
                    "present": one.present,
                    "partial_bytes": one.partial,
                    "configured": one.source.name == app.config.generator.model,
                }
                for one in found
            ]
        )
        return
    for one in found:
        here = "present" if one.present else "absent"
        if one.partial:
            here = f"{in_words(one.partial)} fetched"
        mark = "*" if one.source.name == app.config.generator.model else " "
        size = in_words(one.source.size)
        click.echo(f"{mark} {one.source.name:30} {one.source.quantisation:8} {size:>9}  {here}")


@model.command()
@click.argument("name", required=False)
@pass_app
def pull(app: App, name: str | None) -> None:
    """Fetch a model, by default the configured one; a download that was cut goes on."""
    from kent.progress import DownloadView
    from trainers.generators.pull import pull as fetch

    wanted = name or app.config.generator.model
    path = fetch(wanted, app.config.weights_dir, DownloadView(wanted))
    click.echo(str(path))


@model.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@pass_app
def verify(app: App, names: tuple[str, ...]) -> None:
    """Compare the SHA-256 of models, by default of all that are present, with the table."""
    from trainers.errors import WeightsError
    from trainers.generators.weights import status
    from trainers.generators.weights import verify as check

    folder = app.config.weights_dir
    wanted = names or tuple(one.source.name for one in status(folder) if one.present)
    if not wanted:
        raise WeightsError(f"no known model in {folder}: `kent model pull` fetches one")
    for name in wanted:
        click.echo(f"{check(name, folder)}: as it should be")


@model.command()
@click.argument("kind", required=False)
@json_option
@pass_app
def versions(app: App, kind: str | None, as_json: bool) -> None:
    """List the trained versions, such as those of KIND critic, and which one is champion."""
    from kent.model_versions import in_lines
    from kent.model_versions import versions as find

    with app.read_store() as store:
        rows = find(store, kind)
    if as_json:
        print_json(rows)
        return
    if not rows:
        say("no such version in the store; `kent round` trains one")
    for line in in_lines(rows):
        click.echo(line)


reason_option = click.option("--reason", default="", help="Why; it is kept with the record.")


@model.command()
@click.argument("kind")
@click.argument("version")
@reason_option
@pass_app
def promote(app: App, kind: str, version: str, reason: str) -> None:
    """Make VERSION of KIND the champion by hand, such as critic 3; the next round uses it."""
    from kent.promotion import promote as act

    with app.write_store() as store:
        _tell(act(store, kind, version, reason))


@model.command()
@click.argument("kind")
@click.argument("version", required=False)
@reason_option
@pass_app
def rollback(app: App, kind: str, version: str | None, reason: str) -> None:
    """Go back to the champion of KIND before the present one, or to the former one VERSION."""
    from kent.promotion import rollback as act

    with app.write_store() as store:
        _tell(act(store, kind, version, reason))


def _tell(act: "Act") -> None:
    place = f"in place of {act.replaced}" if act.replaced else "the first of its kind"
    click.echo(f"{act.champion} is champion, {place} ({act.reason})")
