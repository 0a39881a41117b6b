"""Tests as JSON and their hash: exact for every built-in type, the same on every machine.

Plain JSON values stand for themselves. Everything else is an object with one key that starts with
a tilde and names the type: ``{"~tuple": [1, 2]}``. Floats that JSON cannot carry, and integers
beyond 2**53, are text. Sets and the pairs of a mapping are ordered by their own JSON.
"""

import base64
import hashlib
import json
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sandbox.types import Call, Tests

_EXACT_INT = 2**53
_LISTS: dict[type, str] = {tuple: "~tuple", deque: "~deque"}
_SETS: dict[type, str] = {set: "~set", frozenset: "~frozenset"}
_MAPPINGS: dict[type, str] = {
    dict: "~dict",
    Counter: "~Counter",
    OrderedDict: "~OrderedDict",
    defaultdict: "~defaultdict",
}


def value_to_json(value: Any) -> Any:
    """Return a value of built-in types as a JSON document.

    Raises:
        TypeError: a type that has no form.
    """
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is int:
        return value if -_EXACT_INT < value < _EXACT_INT else {"~int": hex(value)}
    if kind is float:
        finite = value - value == 0
        return value if finite else {"~float": repr(value)}
    if kind is str:
        return value if _clean(value) else {"~str": _b64(value.encode("utf-8", "surrogatepass"))}
    if kind is list:
        return [value_to_json(item) for item in value]
    if kind in _LISTS:
        return {_LISTS[kind]: [value_to_json(item) for item in value]}
    if kind in _SETS:
        return {_SETS[kind]: sorted(map(value_to_json, value), key=_canonical)}
    if kind in _MAPPINGS:
        return _mapping(value, kind)
    return _rare(value, kind)


def _clean(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _mapping(value: Any, kind: type) -> dict[str, Any]:
    # The order of insertion is kept: a program may see it.
    pairs = [[value_to_json(key), value_to_json(item)] for key, item in value.items()]
    return {_MAPPINGS[kind]: pairs}


def _rare(value: Any, kind: type) -> dict[str, Any]:
    if kind is bytes or kind is bytearray:
        return {f"~{kind.__name__}": _b64(bytes(value))}
    if kind is complex:
        return {"~complex": [value_to_json(value.real), value_to_json(value.imag)]}
    if kind is range:
        return {"~range": [value_to_json(n) for n in (value.start, value.stop, value.step)]}
    if kind is Decimal:
        return {"~Decimal": str(value)}
    if kind is Fraction:
        return {"~Fraction": [hex(value.numerator), hex(value.denominator)]}
    raise TypeError(f"{kind.__name__} has no JSON form in tests")


def _values(body: list[Any]) -> list[Any]:
    return [value_from_json(item) for item in body]


def _pairs(body: list[Any]) -> dict[Any, Any]:
    return {value_from_json(key): value_from_json(item) for key, item in body}


def _decoders() -> dict[str, Any]:
    values, pairs = _values, _pairs
    return {
        "~int": lambda body: int(body, 16),
        "~float": float,
        "~str": lambda body: base64.b64decode(body).decode("utf-8", "surrogatepass"),
        "~tuple": lambda body: tuple(values(body)),
        "~deque": lambda body: deque(values(body)),
        "~set": lambda body: set(values(body)),
        "~frozenset": lambda body: frozenset(values(body)),
        "~dict": pairs,
        "~Counter": lambda body: Counter(pairs(body)),
        "~OrderedDict": lambda body: OrderedDict(pairs(body)),
        "~defaultdict": lambda body: defaultdict(None, pairs(body)),
        "~bytes": base64.b64decode,
        "~bytearray": lambda body: bytearray(base64.b64decode(body)),
        "~complex": lambda body: complex(*values(body)),
        "~range": lambda body: range(*values(body)),
        "~Decimal": Decimal,
        "~Fraction": lambda body: Fraction(int(body[0], 16), int(body[1], 16)),
    }


_DECODERS = _decoders()


def value_from_json(document: Any) -> Any:
    """Tell what :func:`value_to_json` made, back.

    Raises:
        ValueError: not a form that it makes.
    """
    if isinstance(document, list):
        return [value_from_json(item) for item in document]
    if isinstance(document, dict):
        if len(document) != 1:
            raise ValueError("an object in tests must have one key that names a type")
        ((name, body),) = document.items()
        if name not in _DECODERS:
            raise ValueError(f"unknown type {name!r} in tests")
        return _DECODERS[name](body)
    return document


def tests_to_json(tests: Tests) -> dict[str, Any]:
    """Tests as a JSON document; defaults are left out."""
    document: dict[str, Any] = {"mode": tests.mode, "entry_point": tests.entry_point}
    if tests.calls:
        document["calls"] = [call_to_json(call) for call in tests.calls]
    for name in ("setup_code", "test_code", "reason"):
        if getattr(tests, name):
            document[name] = value_to_json(getattr(tests, name))
    return document


def call_to_json(call: Call) -> dict[str, Any]:
    """Return one call as a JSON document; defaults are left out."""
    document: dict[str, Any] = {
        "args": [value_to_json(argument) for argument in call.args],
        "expected": value_to_json(call.expected),
    }
    if call.kwargs:
        document["kwargs"] = {name: value_to_json(item) for name, item in call.kwargs.items()}
    if call.function is not None:
        document["function"] = call.function
    if call.compare != "eq":
        document["compare"] = call.compare
    if call.tolerance:
        document["tolerance"] = call.tolerance
    if call.via:
        document["via"] = call.via
    return document


def tests_from_json(document: dict[str, Any]) -> Tests:
    """What :func:`tests_to_json` made, back."""
    return Tests(
        mode=document["mode"],
        entry_point=document["entry_point"],
        calls=tuple(call_from_json(call) for call in document.get("calls", ())),
        setup_code=value_from_json(document.get("setup_code", "")),
        test_code=value_from_json(document.get("test_code", "")),
        reason=value_from_json(document.get("reason", "")),
    )


def call_from_json(document: dict[str, Any]) -> Call:
    """Tell what :func:`call_to_json` made, back."""
    return Call(
        args=tuple(value_from_json(argument) for argument in document["args"]),
        expected=value_from_json(document["expected"]),
        kwargs={name: value_from_json(item) for name, item in document.get("kwargs", {}).items()},
        function=document.get("function"),
        compare=document.get("compare", "eq"),
        tolerance=document.get("tolerance", 0.0),
        via=document.get("via", ""),
    )


def tests_hash(tests: Tests) -> str:
    """The SHA-256 of what the tests judge by: all but ``reason``."""
    document = tests_to_json(tests)
    document.pop("reason", None)
    return hashlib.sha256(_canonical(document).encode()).hexdigest()


def _canonical(document: Any) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


for _function in (tests_to_json, tests_from_json, tests_hash):
    vars(_function)["__test__"] = False  # their names look like pytest's
