"""How numbers, times and stored text are written for people."""

import math
import unicodedata
from datetime import UTC, datetime
from typing import Any

from kent.report.figures import Unit
from kent.report.values import Json

NOTHING = "–"
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn"}


def clean(text: Any, limit: int | None = None) -> str:
    """Stored text on one line, without characters that steer a terminal or hide in a page.

    Args:
        text: anything; None is an empty string.
        limit: cut to so many characters.
    """
    raw = "" if text is None else str(text)
    shown = "".join("\N{REPLACEMENT CHARACTER}" if _hidden(c) else c for c in " ".join(raw.split()))
    return shown if limit is None or len(shown) <= limit else shown[: limit - 1] + "…"


def _hidden(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN


def number(value: float | None, unit: Unit) -> str:
    """A value in its unit: percent and number with one decimal, fraction with three."""
    if value is None:
        return NOTHING
    if unit == "percent":
        text = f"{100 * value:.1f}"
    elif unit == "fraction":
        text = f"{value:.3f}"
    elif unit == "number":
        text = f"{value:,.1f}"
    else:
        text = f"{value:,.0f}"
    return text.replace("-", "−")


def interval(figure: Json, unit: Unit) -> str:
    """The interval as ``low–high``, or nothing where there is none."""
    if figure["low"] is None or figure["high"] is None or unit == "count":
        return ""
    middle = " to " if figure["low"] < 0 else "–"
    return f"{number(figure['low'], unit)}{middle}{number(figure['high'], unit)}"


def change(value: float | None, unit: Unit) -> str:
    """A difference with its sign; percent becomes points."""
    if value is None:
        return NOTHING
    text = number(abs(value), unit)
    zero = not any(digit in text for digit in "123456789")
    return ("±" if zero else "−" if value < 0 else "+") + text


def moment(at: float | None) -> str:
    """A time as ``2026-11-22 14:03`` in UTC."""
    return NOTHING if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def duration(seconds: float | None) -> str:
    """A span of time in its two largest units."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    total = round(max(0.0, seconds))
    for size, big, small_size, small in (
        (86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")
    ):  # fmt: skip
        if total >= size:
            rest = total % size // small_size
            return f"{total // size} {big}" + (f" {rest} {small}" if rest else "")
    return f"{total} s"


def plural(count: int, one: str, many: str | None = None) -> str:
    """``3 rounds``, ``1 round``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
