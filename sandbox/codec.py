"""Values of built-in types to tagged bytes and back: what crosses the wall between the processes.

The encoder runs beside the candidate, the decoder in the process that judges. So the decoder trusts
nothing: sizes, depth and the number of values are bounded, and sets and dictionaries whose keys
were made to collide are refused before they are built. Integers, floats and text survive exactly
(5,000 digits, NaN, -0.0, lone surrogates). Objects that are not plain data are no values.
"""

import struct
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

MAX_DEPTH = 200
MAX_NODES = 1_000_000
MAX_COLLISIONS = 64
MAX_BODY = 1 << 26  # bytes of one text or number: what is larger is no result
MAX_RATIONAL = 4096  # bytes; reducing a fraction takes quadratic time

_U32 = struct.Struct("<I")
_F64 = struct.Struct("<d")
_C128 = struct.Struct("<dd")


class NotDataError(Exception):
    """The value is not plain data of built-in types, or too deep."""


class DecodeError(Exception):
    """The bytes are not what the encoder writes, or break a bound."""


# The type's own ``==`` must be the base's, else the value is no plain data: a lying ``__eq__``.
_BASES: tuple[type, ...] = (bool, int, float, complex, str, bytes, bytearray, tuple, list)
_BASES += (Counter, OrderedDict, defaultdict, dict, frozenset, set, deque, range)
_RATIONAL = (("decimal", "Decimal"), ("fractions", "Fraction"))
"""Types whose modules are loaded by those only who use them: every fork pays for what is loaded."""

_SEQUENCES: dict[type, bytes] = {tuple: b"t", list: b"l", set: b"S", frozenset: b"Z", deque: b"q"}
_MAPPINGS: dict[type, bytes] = {dict: b"d", Counter: b"C", OrderedDict: b"O", defaultdict: b"D"}


class _Writer:
    """Gathers the pieces; ``other`` writes what is no plain data, or gives None."""

    def __init__(
        self, other: Callable[[Any], int | str | None] | None, stable: bool = False
    ) -> None:
        self.pieces: list[bytes] = []
        self.emit = self.pieces.append
        self.other, self.stable = other, stable


def encode(
    value: Any, other: Callable[[Any], int | str | None] | None = None, *, stable: bool = False
) -> bytes:
    """Encode a value; a subclass that keeps its base's ``==`` goes as its base.

    ``other`` gives a number or a name for an object that is not plain data: see :class:`Decoder`.
    ``stable``: the same bytes in every process, also for sets whose order hangs on its hash seed.

    Raises:
        NotDataError: it is not plain data, or deeper than ``MAX_DEPTH``.
    """
    writer = _Writer(other, stable)
    _encode(value, writer, writer.emit, 0)
    return b"".join(writer.pieces)


def _sized(tag: bytes, raw: bytes) -> bytes:
    return tag + _U32.pack(len(raw)) + raw


def _encode(value: Any, to: _Writer, emit: Any, depth: int) -> None:
    kind = type(value)
    if value is None:
        emit(b"N")
    elif kind is bool:
        emit(b"T" if value else b"F")
    elif kind is int:
        emit(_sized(b"i", value.to_bytes((value.bit_length() >> 3) + 1, "little", signed=True)))
    elif kind is str:
        if len(value) > MAX_BODY:
            raise NotDataError(f"a text of {len(value)} characters is too large")
        emit(_sized(b"s", value.encode("utf-8", "surrogatepass")))
    elif kind is float:
        emit(b"f" + _F64.pack(value))
    elif kind in _SEQUENCES:
        _guard(depth)
        emit(_SEQUENCES[kind] + _U32.pack(len(value)))
        if to.stable and kind in (set, frozenset):
            value = _stable(value)
        for item in value:
            _encode(item, to, emit, depth + 1)
    elif kind in _MAPPINGS:
        _guard(depth)
        emit(_MAPPINGS[kind] + _U32.pack(len(value)))
        for key, item in value.items():
            _encode(key, to, emit, depth + 1)
            _encode(item, to, emit, depth + 1)
    else:
        _encode_rare(value, kind, to, depth)


def _stable(items: Any) -> list[Any]:
    """Return a set's items in an order that is the same in every process."""
    if all(type(item) in (int, float, bool) for item in items):
        return sorted(items)
    return sorted(items, key=lambda item: encode(item, stable=True))


def _guard(depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise NotDataError(f"nested deeper than {MAX_DEPTH}, or contains itself")


def _encode_rare(value: Any, kind: type, to: _Writer, depth: int) -> None:
    emit = to.emit
    if kind in (bytes, bytearray) and len(value) > MAX_BODY:
        raise NotDataError(f"{len(value)} bytes are too large")
    if kind is complex:
        emit(b"c" + _C128.pack(value.real, value.imag))
    elif kind is bytes:
        emit(_sized(b"b", value))
    elif kind is bytearray:
        emit(_sized(b"B", bytes(value)))
    elif kind is range:
        emit(b"r")
        for part in (value.start, value.stop, value.step):
            _encode(part, to, emit, depth)
    elif kind is _loaded("decimal", "Decimal"):
        emit(_sized(b"m", str(value).encode()))
    elif kind is _loaded("fractions", "Fraction"):
        emit(b"Q")
        _encode(value.numerator, to, emit, depth)
        _encode(value.denominator, to, emit, depth)
    elif kind.__module__ == "numpy":
        _guard(depth)
        _encode(_from_numpy(value, kind), to, emit, depth + 1)
    else:
        base = _base(kind)
        if base is not None:
            _encode(_rebuilt(value, base), to, emit, depth)
            return
        name = to.other(value) if to.other is not None else None
        if name is None:
            raise NotDataError(f"{kind.__name__} is not plain data")
        emit(b"h")
        _encode(name, to, emit, depth)


def _from_numpy(value: Any, kind: type) -> Any:
    if kind.__name__ == "ndarray" or not hasattr(value, "item"):
        raise NotDataError(f"{kind.__name__} is not plain data")
    return value.item()


def _loaded(module: str, name: str) -> Any:
    """A class of a module that is loaded, else None: then no value can be of it."""
    return getattr(sys.modules.get(module), name, None)


def _base(kind: type) -> type | None:
    rational = (_loaded(*where) for where in _RATIONAL)
    for base in (*_BASES, *(found for found in rational if isinstance(found, type))):
        if issubclass(kind, base):
            own: Any = kind.__eq__
            return base if own is base.__eq__ else None
    return None


def _rebuilt(value: Any, base: type) -> Any:
    """Copy a subclass instance into its base, by the base's own methods."""
    if base is str:
        return str.__str__(value)
    if base is int:
        return int.__int__(value)
    if base is float:
        return float.__float__(value)
    if base in _MAPPINGS:
        return dict(dict.items(value)) if base in (dict, defaultdict) else base(value)
    return base(base.__iter__(value)) if base in _SEQUENCES else base(value)  # type: ignore[attr-defined]


def decode(raw: bytes, other: Callable[[Any], Any] | None = None) -> Any:
    """Decode what ``encode`` wrote; safe on any bytes.

    Raises:
        DecodeError: malformed, trailing bytes, too deep, too many values, or colliding keys.
    """
    value, end = Decoder(raw, other).value(0, 0)
    if end != len(raw):
        raise DecodeError("trailing bytes")
    return value


class Decoder:
    """Decodes one buffer; counts what it has built.

    ``other`` turns the number or name that stands for an object back into one.
    """

    def __init__(self, raw: bytes, other: Callable[[Any], Any] | None = None) -> None:
        self._raw = raw
        self._other = other
        self._left = MAX_NODES

    def value(self, at: int, depth: int) -> tuple[Any, int]:
        """Decode the value at offset ``at``: it and the offset behind it."""
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            raise DecodeError("too deep or too many values")
        tag = self._raw[at : at + 1]
        at += 1
        if tag == b"N":
            return None, at
        if tag == b"T":
            return True, at
        if tag == b"F":
            return False, at
        if tag in b"isbBm" and tag:
            body, at = self._body(at)
            return _scalar(tag, body), at
        if tag == b"f":
            return self._unpack(_F64, at)[0], at + 8
        if tag == b"c":
            return complex(*self._unpack(_C128, at)), at + 16
        if tag in b"tlSZq" and tag:
            return self._sequence(tag, at, depth)
        if tag in b"dCOD" and tag:
            return self._mapping(tag, at, depth)
        if tag == b"r":
            return self._parts(range, 3, at, depth)
        if tag == b"Q":
            from fractions import Fraction

            return self._parts(Fraction, 2, at, depth)
        if tag == b"h" and self._other is not None:
            name, at = self.value(at, depth + 1)
            return self._other(name), at
        raise DecodeError(f"unknown tag {tag!r}")

    def _unpack(self, form: struct.Struct, at: int) -> tuple[Any, ...]:
        try:
            return form.unpack_from(self._raw, at)
        except struct.error as error:
            raise DecodeError("cut short") from error

    def _body(self, at: int) -> tuple[bytes, int]:
        (size,) = self._unpack(_U32, at)
        end = at + 4 + size
        if end > len(self._raw):
            raise DecodeError("cut short")
        return self._raw[at + 4 : end], end

    def _items(self, count: int, at: int, depth: int) -> tuple[list[Any], int]:
        if count > len(self._raw) - at:
            raise DecodeError("cut short")
        items = []
        for _ in range(count):
            item, at = self.value(at, depth + 1)
            items.append(item)
        return items, at

    def _sequence(self, tag: bytes, at: int, depth: int) -> tuple[Any, int]:
        (count,) = self._unpack(_U32, at)
        items, at = self._items(count, at + 4, depth)
        if tag == b"l":
            return items, at
        if tag == b"t":
            return tuple(items), at
        if tag == b"q":
            return deque(items), at
        refuse_collisions(items)
        return (display(items) if tag == b"S" else frozenset(items)), at

    def _mapping(self, tag: bytes, at: int, depth: int) -> tuple[Any, int]:
        (count,) = self._unpack(_U32, at)
        items, at = self._items(2 * count, at + 4, depth)
        keys = items[::2]
        refuse_collisions(keys)
        pairs = dict(zip(keys, items[1::2], strict=True))
        if tag == b"C":
            return Counter(pairs), at
        if tag == b"O":
            return OrderedDict(pairs), at
        return (defaultdict(None, pairs) if tag == b"D" else pairs), at

    def _parts(self, make: Any, count: int, at: int, depth: int) -> tuple[Any, int]:
        parts, at = self._items(count, at, depth)
        if not all(type(part) is int for part in parts) or parts[-1] == 0:
            raise DecodeError("bad number")
        if any(part.bit_length() > 8 * MAX_RATIONAL for part in parts):
            raise DecodeError("a number of too many digits")
        return make(*parts), at


def display(items: list[Any]) -> set[Any]:
    """Make a set as Python makes that of a display of constants, ``{1, 2, 3}``.

    It has a smaller table than a set that grew item by item, and so another order.
    """
    return set(frozenset(items)) if len(items) > 2 else set(items)


def _scalar(tag: bytes, body: bytes) -> Any:
    try:
        if tag == b"i":
            return int.from_bytes(body, "little", signed=True)
        if tag == b"s":
            return body.decode("utf-8", "surrogatepass")
        if tag == b"m" and len(body) <= MAX_RATIONAL:
            from decimal import Decimal

            return Decimal(body.decode("ascii"))
    except (ValueError, ArithmeticError) as error:
        raise DecodeError("bad text or number") from error
    if tag == b"m":
        raise DecodeError("a decimal of too many digits")
    return body if tag == b"b" else bytearray(body)


def refuse_collisions(keys: list[Any]) -> None:
    """Refuse keys that cannot be hashed or of which many share one hash (a set of them is slow)."""
    try:
        hashes = {hash(key) for key in keys}
    except TypeError as error:
        raise DecodeError("a key that cannot be hashed") from error
    if len(keys) - len(hashes) > MAX_COLLISIONS:
        raise DecodeError("keys that collide")
