"""A digest of a value of built-in types: values that Python's ``==`` calls equal have the same.

So 1, 1.0 and True have one digest, a tuple and a list two, and the order of a set or a mapping is
no part of it. Two liberties make it a measure of agreement: floats count to 9 significant digits,
so that sums in another order agree (from 1e9 on to the nearest integer, exactly), and a NaN agrees
with a NaN.
"""

import hashlib
from collections import deque
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

from sandbox.codec import decode

DIGITS = 32
SIGNIFICANT = 9
_EXACT_FROM = 10.0**SIGNIFICANT
_MOST_EXPONENT = 400  # of a decimal that is made an integer
_SMALL = 512  # bytes; small encodings come again and again

_ORDERED: dict[type, bytes] = {tuple: b"t", list: b"l", deque: b"q"}


def digest(value: Any) -> str:
    """Return the first ``DIGITS`` hexadecimal digits of the SHA-256 of the canonical form."""
    return hashlib.sha256(_canonical(value)).hexdigest()[:DIGITS]


def body_digest(body: bytes) -> str:
    """Return the digest of a value that the codec encoded.

    Raises:
        DecodeError: it is not what the encoder writes, or breaks a bound.
    """
    return _small_digest(body) if len(body) <= _SMALL else digest(decode(body))


@lru_cache(maxsize=8192)
def _small_digest(body: bytes) -> str:
    return digest(decode(body))


def _canonical(value: Any) -> bytes:
    """Return bytes that delimit themselves: a tag, then a size or an end mark."""
    kind = type(value)
    if value is None:
        return b"N"
    if kind is str:
        return _sized(b"s", value.encode("utf-8", "surrogatepass"))
    if kind in _ORDERED:
        return _counted(_ORDERED[kind], [_canonical(item) for item in value])
    if kind in (set, frozenset):
        return _counted(b"S", sorted([_canonical(item) for item in value]))
    if isinstance(value, dict):
        return _counted(b"d", sorted([_canonical(k) + _canonical(v) for k, v in value.items()]))
    if kind in (bytes, bytearray):
        return _sized(b"b", bytes(value))
    if kind is range:
        parts = (len(value), *value[:1], *((value.step,) if len(value) > 1 else ()))
        return _counted(b"r", [_number(part) for part in parts])
    return _number(value)


def _counted(tag: bytes, items: list[bytes]) -> bytes:
    return tag + b"%d:" % len(items) + b"".join(items)


def _sized(tag: bytes, raw: bytes) -> bytes:
    return tag + b"%d:" % len(raw) + raw


def _number(value: Any) -> bytes:
    """Return a number's form: of an integer exactly, of all others as of the float they are."""
    if isinstance(value, int):
        return b"i%x;" % value
    if isinstance(value, complex):
        parts = (_number(value.real), _number(value.imag))
        return parts[0] if value.imag == 0 else _counted(b"c", list(parts))
    if isinstance(value, float):
        return _float(value)
    return _rational(value)


def _float(value: float) -> bytes:
    if value - value != 0:
        return f"f{value};".encode()
    if abs(value) < _EXACT_FROM:
        value = float(f"{value:.{SIGNIFICANT}g}")
        if not value.is_integer():
            return f"f{value!r};".encode()
    return b"i%x;" % round(value)


def _rational(value: Decimal | Fraction) -> bytes:
    if isinstance(value, Decimal):
        if not value.is_finite():
            return _float(float("nan" if value.is_nan() else value))
        if value.adjusted() > _MOST_EXPONENT:
            return _sized(b"m", str(value).encode())
    if value == int(value):
        return b"i%x;" % int(value)
    try:
        return _float(float(value))
    except OverflowError:  # beyond every float
        return b"i%x;" % int(value)
