"""sqlite-utils, imported without what it looks for and KENT does not use with it."""

import importlib
import sys

# Its optional companions take most of a second and 65 MB in every process that opens the store.
_UNWANTED = ("pandas", "numpy")


def _import_alone(name: str) -> None:
    """Import a module as if what is unwanted were not installed, unless it is there already."""
    absent = [unwanted for unwanted in _UNWANTED if unwanted not in sys.modules]
    for unwanted in absent:
        sys.modules[unwanted] = None  # type: ignore[assignment]
    try:
        importlib.import_module(name)
    finally:
        for unwanted in absent:
            del sys.modules[unwanted]


_import_alone("sqlite_utils")

from sqlite_utils import Database, Migrations  # noqa: E402

__all__ = ["Database", "Migrations"]
