"""APPS's inputs and outputs to tests: what they mean is settled by what the reference returns.

An output may stand for itself or be wrapped in a list, and JSON has neither tuples nor integer
keys; APPS's own judge takes whatever reading fits the candidate. Here the reading is the one under
which the reference is right, fixed once for all candidates.
"""

import ast
import math
from collections.abc import Callable
from typing import Any

from sandbox.types import Call, Tests
from trainers.tasks.reference_tests import FLOAT_TOLERANCE

Pair = tuple[tuple[Any, ...], Any]

# Runs beside the candidate, in a process of its own. A tuple does for a list, as in APPS's judge.
_METHOD_TESTS = """
def same(found, wanted):
    if isinstance(wanted, (list, tuple)):
        return (
            isinstance(found, (list, tuple)) and len(found) == len(wanted)
            and all(same(one, other) for one, other in zip(found, wanted))
        )
    if isinstance(wanted, float) and isinstance(found, (int, float)):
        return abs(found - wanted) <= {tolerance!r} * max(1.0, abs(wanted))
    return found == wanted


for arguments, wanted in {cases!r}:
    assert same(Solution().{name}(*arguments), wanted), "a call gave another value"
"""


def arguments_of(given: Any) -> tuple[Any, ...] | None:
    """Make the arguments of one call out of an entry of ``inputs``; None where it has none.

    A mapping that comes first and whose keys are all numbers had integer keys before it was JSON.
    """
    if not isinstance(given, list):
        return None
    if given and isinstance(given[0], dict) and all(map(_is_integer, given[0])):
        return ({int(key): value for key, value in given[0].items()}, *given[1:])
    return tuple(given)


def agreed(returned: Any, stored: Any) -> bool:
    """Tell whether the reference's value is an entry of ``outputs``, or the one thing in it."""
    if _same(returned, stored):
        return True
    return isinstance(stored, list) and len(stored) == 1 and _same(returned, stored[0])


def is_ambiguous(outputs: list[Any]) -> bool:
    """Tell whether all outputs are lists of one thing: then it may be that or the list."""
    return all(isinstance(output, list) and len(output) == 1 for output in outputs)


def function_tests(name: str, pairs: list[Pair]) -> Tests:
    """Judge a function in data mode."""
    calls = tuple(_call(arguments, value) for arguments, value in pairs)
    return Tests("data", name, calls=calls, reason="APPS's calls, as its solution answers them")


def method_tests(name: str, pairs: list[Pair]) -> Tests:
    """Judge a method of ``class Solution`` in split mode; each call has an object of its own."""
    code = _METHOD_TESTS.format(cases=pairs, name=name, tolerance=FLOAT_TOLERANCE)
    reason = "the calls go to a method of class Solution"
    return Tests("split", "Solution", test_code=code, reason=reason)


def is_usable(pair: Pair) -> bool:
    """Tell whether a pair can be written down: finite numbers in lists, tuples and mappings."""
    try:
        return bool(ast.literal_eval(repr(pair)) == pair)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return False


def _call(arguments: tuple[Any, ...], value: Any) -> Call:
    via = "list" if isinstance(value, tuple) else ""
    expected = list(value) if via else value
    if _any(value, lambda one: isinstance(one, float)):
        return Call(arguments, expected, compare="close", tolerance=FLOAT_TOLERANCE, via=via)
    return Call(arguments, expected, via=via)


def _any(value: Any, holds: Callable[[Any], bool]) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_any(item, holds) for item in value)
    if isinstance(value, dict):
        return any(_any(item, holds) for item in value.values())
    return holds(value)


def _same(returned: Any, stored: Any) -> bool:
    if isinstance(returned, (list, tuple)) and isinstance(stored, list):
        return len(returned) == len(stored) and all(map(_same, returned, stored))
    if isinstance(returned, dict) and isinstance(stored, dict):
        by_text = {str(key): value for key, value in returned.items()}
        return by_text.keys() == stored.keys() and all(
            _same(value, stored[key]) for key, value in by_text.items()
        )
    numbers = isinstance(returned, (int, float)) and isinstance(stored, (int, float))
    if numbers and float in (type(returned), type(stored)):
        close = {"rel_tol": FLOAT_TOLERANCE, "abs_tol": FLOAT_TOLERANCE}
        return math.isclose(returned, stored, **close)
    return bool(returned == stored)


def _is_integer(key: str) -> bool:
    return key.removeprefix("-").isdecimal()
