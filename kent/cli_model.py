"""``kent model``: weights of generators, by name."""

import click

from kent.cli_app import App, json_option, pass_app, print_json
from kent.disk import in_words


@click.group()
def model() -> None:
    """Weights: which are known, fetch them, check them."""


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
