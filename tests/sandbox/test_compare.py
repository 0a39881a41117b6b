"""The comparison rules are Python's, seen from outside the program."""

import math

import pytest
from hypothesis import given
from sandbox_values import values

from sandbox import Call
from sandbox.codec import decode, encode
from sandbox.compare import satisfies
from sandbox.jobs import Prepared
from sandbox.types import Tests


@given(values, values)
def test_eq_is_pythons(value, expected):
    assert satisfies(decode(encode(value)), Call((), expected)) == (value == expected)
    assert satisfies(decode(encode(value)), Call((), expected, compare="ne")) == (value != expected)


@given(values)
def test_equal_bytes_are_taken_for_equal_only_where_they_are(value):
    (expected,) = Prepared(Tests("data", "f", calls=(Call((), value),))).expected
    assert expected is None or value == decode(expected)


@pytest.mark.parametrize(
    ("value", "expected", "answer"),
    [
        (True, 1, True),
        (1.0, 1, True),
        (-0.0, 0.0, True),
        (math.nan, math.nan, False),
        ((1, 2), [1, 2], False),
        ([1], [True], True),
        ({1}, frozenset({1}), True),
        ("a", b"a", False),
    ],
)
def test_eq_at_the_edges(value, expected, answer):
    assert satisfies(value, Call((), expected)) is answer


def test_nan_has_no_bytes_that_pass():
    tests = Tests("data", "f", calls=(Call((), [math.nan]), Call((), 1)))
    assert Prepared(tests).expected == [None, encode(1)]


@pytest.mark.parametrize(
    ("value", "call", "answer"),
    [
        (True, Call((), True, compare="is"), True),
        (1, Call((), True, compare="is"), False),
        (None, Call((), None, compare="is"), True),
        (2.0000001, Call((), 2.0, compare="abs_lt", tolerance=1e-6), True),
        (2.1, Call((), 2.0, compare="abs_lt", tolerance=1e-6), False),
        ("2", Call((), 2.0, compare="abs_lt", tolerance=1e-6), False),
        (1.0000001, Call((), 1.0, compare="isclose", tolerance=1e-6), True),
        ([1.00001, "a"], Call((), [1, "a"], compare="close", tolerance=1e-4), True),
        ((1.0,), Call((), [1.0], compare="close", tolerance=1e-4), False),
        ({"a": 1.2}, Call((), {"a": 1.0}, compare="close", tolerance=0.1), False),
        (math.nan, Call((), math.nan, compare="close", tolerance=1.0), False),
        ([2, 1, 1], Call((), (1, 2), compare="set_eq"), True),
        (5, Call((), (1, 2), compare="set_eq"), False),
        ([[]], Call((), (1, 2), compare="set_eq"), False),
        ([], Call((), None, compare="falsy"), True),
        ([], Call((), None, compare="truthy"), False),
    ],
)
def test_other_rules(value, call, answer):
    assert satisfies(value, call) is answer
