"""Values cross the wall exactly, and no bytes can hurt the one that decodes."""

import math
import struct
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_values import same, values

from sandbox.codec import DecodeError, NotDataError, decode, encode


@given(values)
def test_round_trip_keeps_values_and_types(value):
    assert same(decode(encode(value)), value)


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused(raw):
    with suppress(DecodeError):
        decode(raw)


@given(values, st.integers(0, 300), st.integers(0, 255))
def test_damaged_bytes_decode_or_are_refused(value, at, byte):
    raw = bytearray(encode(value))
    raw[at % len(raw)] = byte
    with suppress(DecodeError):
        decode(bytes(raw))


@pytest.mark.parametrize(
    "value",
    [
        10**5000,
        -(10**5000),
        "\ud800",
        float("inf"),
        -0.0,
        bytearray(b"x"),
        range(3, 9, 2),
        Counter("aab"),
        OrderedDict([(2, 1), (1, 2)]),
        deque([1, 2]),
        Decimal("1.10"),
        Fraction(-3, 7),
        True,
        1,
    ],
    ids=lambda value: type(value).__name__,
)
def test_special_values_survive(value):
    assert same(decode(encode(value)), value)


def test_nan_stays_nan():
    assert math.isnan(decode(encode(math.nan)))


def test_defaultdict_loses_only_its_factory():
    back = decode(encode(defaultdict(list, {1: [2]})))
    assert type(back) is defaultdict
    assert back == {1: [2]}


def test_subclasses_that_keep_equality_go_as_their_base():
    point = namedtuple("point", "x y")

    class Text(str):
        pass

    assert decode(encode([point(1, 2), Text("a")])) == [(1, 2), "a"]


class Liar:  # noqa: PLW1641
    def __eq__(self, other):
        return True


class LyingInt(int):  # noqa: PLW1641
    def __eq__(self, other):
        return True


class LyingList(list):  # noqa: PLW1641
    def __eq__(self, other):
        return True


@pytest.mark.parametrize(
    "value", [Liar(), LyingInt(3), LyingList(), object(), iter([]), lambda: 1, int, print]
)
def test_objects_are_no_data(value):
    with pytest.raises(NotDataError):
        encode(value)


def test_cycles_and_depth_are_refused():
    ring = []
    ring.append(ring)
    with pytest.raises(NotDataError):
        encode(ring)


def test_colliding_keys_are_refused_before_a_set_is_built():
    keys = [i * (2**61 - 1) for i in range(2000)]
    raw = b"S" + struct.pack("<I", len(keys)) + b"".join(map(encode, keys))
    with pytest.raises(DecodeError, match="collide"):
        decode(raw)


def test_claimed_sizes_are_checked_before_memory_is_taken():
    with pytest.raises(DecodeError):
        decode(b"l" + struct.pack("<I", 2**32 - 1))
    with pytest.raises(DecodeError):
        decode(b"Q" + encode(1 << 100_000) + encode(3))


@given(st.sets(st.integers(-100, 100) | st.text(max_size=3), max_size=40))
def test_a_set_has_one_encoding_however_it_was_made(items):
    grown = set()
    for item in sorted(items, key=repr, reverse=True):
        grown.add(item)
    assert encode(grown, stable=True) == encode(set(items), stable=True)
    assert decode(encode(grown, stable=True)) == items


def test_a_set_iterates_like_a_display():
    for display in ({12, 13, 14, 15, 16}, {6, 7, 8, 9, 10, 11}, {1, 2}, {5, 3, 1, 40, 20}):
        grown = set()
        for item in sorted(display):
            grown.add(item)
        assert list(decode(encode(grown, stable=True))) == list(display)
