"""Python source as data: the files of this Python's library, quiet parsing, outer functions."""

import ast
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path


def parse(source: str) -> ast.Module:
    """Parse ``source`` without warnings: an old escape in a text is no fault of ours.

    Raises:
        SyntaxError: it is no Python.
        ValueError: it holds a null byte.
        RecursionError: it is nested too deep.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def library_files() -> tuple[Path, list[str]]:
    """The folder of this Python's library, and its Python files below it, tests aside, sorted."""
    library = Path(sysconfig.get_path("stdlib"))
    names = sorted(
        str(path.relative_to(library))
        for path in library.rglob("*.py")
        if "site-packages" not in path.parts and "test" not in path.relative_to(library).parts
    )
    return library, names


def outer_functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Give the functions and methods that are in no other function, in the order of the source."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
        else:
            yield from outer_functions(child)
