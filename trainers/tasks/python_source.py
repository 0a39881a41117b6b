"""Parses the Python in data files quietly: an old escape in a text is no fault of ours."""

import ast
import warnings


def parse(source: str) -> ast.Module:
    """Parse ``source``.

    Raises:
        SyntaxError: it is no Python.
        ValueError: it holds a null byte.
        RecursionError: it is nested too deep.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)
