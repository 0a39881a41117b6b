"""Tests survive JSON exactly, and their hash names what they judge by."""

import json
import math
from collections import Counter, OrderedDict, deque

import pytest
from hypothesis import given
from sandbox_values import same, values

from sandbox import Call, Tests, tests_from_json, tests_hash, tests_to_json
from sandbox.tests_json import value_from_json, value_to_json


@given(values)
def test_values_survive_json(value):
    assert same(value_from_json(json.loads(json.dumps(value_to_json(value)))), value)


@pytest.mark.parametrize(
    "value",
    [
        *(2**53, -(2**70), 1e308, -0.0, "\udfff", b"\x00", bytearray(b"a"), {1: [2]}),
        *({"~int": "0x1"}, Counter("ab"), OrderedDict(a=1), deque([1]), range(2), 1j),
        {(1, 2): {3}},
    ],
)
def test_special_values_survive_json(value):
    assert same(value_from_json(json.loads(json.dumps(value_to_json(value)))), value)


def test_nan_survives_json():
    assert math.isnan(value_from_json(json.loads(json.dumps(value_to_json(math.nan)))))


def test_tests_survive_json():
    call = Call((1, (2,)), {3}, {"k": b"x"}, "g", "close", 0.5, "sorted")
    tests = Tests("data", "f", calls=(call, Call((), None)), setup_code="import math", reason="r")
    assert tests_from_json(json.loads(json.dumps(tests_to_json(tests)))) == tests
    split = Tests("split", "f", setup_code="a", test_code="assert f() == '\ud800'")
    assert tests_from_json(json.loads(json.dumps(tests_to_json(split)))) == split


def test_the_hash_tells_types_apart_and_ignores_the_reason():
    def of(expected, **kw):
        return tests_hash(Tests("data", "f", calls=(Call((), expected),), **kw))

    distinct = [1, 1.0, True, "1", b"1", (1,), [1], {1}, frozenset({1}), 0.0, -0.0, {1: 1}, 1 + 0j]
    assert len({of(value) for value in distinct}) == len(distinct)
    assert of({"b", "a", "c"}) == of({"c", "b", "a"})
    assert of(1, reason="x") == of(1)


def test_a_form_that_is_not_ours_is_refused():
    for document in ({"a": 1}, {"~nothing": 1}, {"~int": "1", "~str": ""}):
        with pytest.raises(ValueError, match="in tests"):
            value_from_json(document)
    with pytest.raises(TypeError):
        value_to_json(object())
