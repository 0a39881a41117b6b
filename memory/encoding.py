"""Values on their way into columns: JSON text, text that SQLite takes, numbers that are finite."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from memory.errors import StoreError


def to_json(value: Any) -> str:
    """``value`` as JSON text with sorted keys; plain ASCII, so that any string survives it.

    Raises:
        StoreError: it holds a NaN, an infinity or something that JSON has no form for.
    """
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise StoreError(f"a value cannot be stored as JSON: {error}") from error


def list_to_json(values: Iterable[Any]) -> str:
    """``values`` as a JSON array: how a query takes a list of any length as one parameter."""
    return to_json(list(values))


def with_json(row: Sequence[Any], column: int) -> list[Any]:
    """A row as SQLite gives it, with the JSON text of one column decoded."""
    values = list(row)
    values[column] = json.loads(values[column])
    return values


def clean_text(text: str) -> str:
    """``text`` with lone surrogates, which UTF-8 cannot hold, as backslash escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def finite(value: float | None) -> float | None:
    """``value``, or None (undefined) where it is a NaN or an infinity."""
    return value if value is not None and math.isfinite(value) else None


def finite_tree(value: Any) -> Any:
    """``value`` with each NaN or infinity in its dictionaries and lists replaced by None."""
    if isinstance(value, float):
        return finite(value)
    if isinstance(value, Mapping):
        return {key: finite_tree(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite_tree(item) for item in value]
    return value
