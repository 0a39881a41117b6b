"""What is remembered: the SQLite store and the files beside it."""

import importlib
import sys


def _import_sqlite_utils() -> None:
    """Import sqlite-utils without pandas, which it looks for and KENT does not use with it.

    Where pandas is installed, as another library's need, that is half a second and 50 MB in every
    process that opens the store.
    """
    if "pandas" in sys.modules:
        return
    sys.modules["pandas"] = None  # type: ignore[assignment]
    try:
        importlib.import_module("sqlite_utils")
    finally:
        del sys.modules["pandas"]


_import_sqlite_utils()
