"""Figures in their JSON form ``{value, low, high, n}``: read, made and compared."""

import json
import math
from typing import Any

Json = dict[str, Any]


def finite(value: Any) -> float | int | None:
    """The number, or None where it is not one that JSON can carry."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None


def figure(value: Any, low: Any, high: Any, n: Any) -> Json:
    """A figure of stored columns."""
    return {
        "value": finite(value), "low": finite(low), "high": finite(high), "n": int(finite(n) or 0)
    }  # fmt: skip


def undefined() -> Json:
    """A figure that was not measured."""
    return {"value": None, "low": None, "high": None, "n": 0}


def as_figure(stored: Any) -> Json | None:
    """A metric of a stage run as a figure: itself, or a count that has no interval; else None."""
    if isinstance(stored, dict) and "value" in stored:
        return figure(stored["value"], stored.get("low"), stored.get("high"), stored.get("n"))
    number = finite(stored)
    return None if number is None else count(number)


def count(number: float) -> Json:
    """A counted number: it has no interval, and it is its own sample size."""
    return {"value": number, "low": number, "high": number, "n": int(number)}


def json_object(text: str | None) -> Json:
    """The object that a JSON column holds, or an empty one where it holds another thing."""
    loaded = json.loads(text) if text else {}
    return loaded if isinstance(loaded, dict) else {}
