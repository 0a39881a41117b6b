"""The comparison rules: whether a value that came back does what its call expects.

Runs outside of the process that ran the candidate, on values of built-in types only. ``eq`` is
Python's ``==``: NaN differs from itself, -0.0 equals 0.0, True equals 1, a tuple is no list.
"""

import math
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sandbox.codec import DecodeError, refuse_collisions
from sandbox.types import Call

_NUMBERS = (int, float, complex, Fraction, Decimal)


def satisfies(value: Any, call: Call) -> bool:
    """Tell whether ``value`` satisfies ``call``; never raises on plain data."""
    try:
        return _satisfies(value, call)
    except (TypeError, ValueError, ArithmeticError, RecursionError, DecodeError):
        return False  # what the test's own expression would have raised on: not equal


def _satisfies(value: Any, call: Call) -> bool:
    rule, expected = call.compare, call.expected
    if rule == "eq":
        return bool(value == expected)
    if rule == "ne":
        return bool(value != expected)
    if rule == "is":
        return type(value) is type(expected) and value == expected
    if rule == "truthy":
        return bool(value)
    if rule == "falsy":
        return not value
    if rule == "close":
        return close(value, expected, call.tolerance)
    if rule == "abs_lt":
        return bool(abs(value - expected) < call.tolerance)
    if rule == "isclose":
        return math.isclose(value, expected, rel_tol=call.tolerance)
    return _as_set(value) == _as_set(expected)


def _as_set(value: Iterable[Any]) -> set[Any]:
    items = list(value)
    refuse_collisions(items)
    return set(items)


def close(value: Any, expected: Any, tolerance: float) -> bool:
    """Equal, or numbers within the tolerance (absolute or relative to ``expected``), also nested.

    Containers must be of the same type and shape; anything that is no number compares by ``==``.
    """
    if isinstance(expected, (list, tuple)):
        return (
            type(value) is type(expected)
            and len(value) == len(expected)
            and all(close(v, e, tolerance) for v, e in zip(value, expected, strict=True))
        )
    if isinstance(expected, dict):
        return (
            isinstance(value, dict)
            and value.keys() == expected.keys()
            and all(close(value[key], e, tolerance) for key, e in expected.items())
        )
    if value == expected:
        return True
    if isinstance(value, _NUMBERS) and isinstance(expected, _NUMBERS):
        gap: Any = abs(value - expected)  # type: ignore[operator]
        return bool(gap <= tolerance or gap <= tolerance * abs(expected))  # type: ignore[operator]
    return False
