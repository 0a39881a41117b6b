"""``kent model``: weights of generators, by name."""

import click


@click.group()
def model() -> None:
    """Weights: which are known, fetch them, check them."""
