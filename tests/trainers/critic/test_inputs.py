"""Inputs for agreement: only what the prompt shows and what comes of it, typed, bounded, seeded."""

import json
import random
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import adder

from memory.records import ProblemRow
from sandbox import Call
from trainers.critic.inputs import (
    MAX_PARSED,
    WANTED,
    calls_from_json,
    calls_to_json,
    inputs_hash,
    inputs_of,
    inputs_row,
    parse_inputs,
    visible_calls,
)
from trainers.critic.mutation import MAX_INT, MAX_SIZE, call_key, magnitude, mutants, mutate, size
from trainers.generators.prompts import inputs_prompt

scalars = (
    st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.text(max_size=12)
    | st.none()
)
plain = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(0, 9), inner, max_size=4)
        | st.sets(st.integers() | st.text(max_size=3), max_size=4)
    ),
    max_leaves=12,
)
LIKE = Call(([1, 2], "a"), None, function="f")


def kinds(value) -> set[type]:
    """Every type in a value, its own included."""
    inner = [*value, *value.values()] if isinstance(value, dict) else value
    nested = inner if isinstance(value, dict | list | tuple | set) else []
    return {type(value)}.union(*map(kinds, nested))


def shows(*asserts: str, **changes) -> ProblemRow:
    return replace(adder(1), visible_tests=asserts, entry_point="f", **changes)


def args(calls) -> list[tuple]:
    return [call.args for call in calls]


@settings(max_examples=300)
@given(plain, st.integers(0, 2**32))
def test_a_mutant_keeps_its_type_and_brings_in_no_new_one(value, seed):
    before = repr(value)
    mutant = mutate(value, random.Random(seed))
    assert type(mutant) is type(value)
    assert kinds(mutant) <= kinds(value)
    assert repr(value) == before


@given(st.tuples(st.integers(), st.text(), st.floats(allow_nan=False)), st.integers(0, 2**32))
def test_a_record_keeps_its_length_and_the_types_at_their_places(value, seed):
    mutant = mutate(value, random.Random(seed))
    assert list(map(type, mutant)) == list(map(type, value))


@given(st.lists(plain, min_size=1, max_size=3), st.integers(0, 2**32), st.integers(0, 30))
def test_mutants_differ_stay_small_and_hang_on_the_seed_alone(arguments, seed, wanted):
    calls = [Call(tuple(arguments), None, {"k": 1}, function="f")]
    found = list(mutants(calls, random.Random(seed), wanted))
    assert found == list(mutants(calls, random.Random(seed), wanted))
    assert len(found) <= wanted
    keys = [call_key(call) for call in (*calls, *found)]
    assert len(set(keys)) == len(keys)
    for call in found:
        given_values, own = [*call.args, *call.kwargs.values()], [*arguments, 1]
        assert list(map(type, given_values)) == list(map(type, own))
        assert size(given_values) <= max(MAX_SIZE, 2 * size(own))
        assert magnitude(given_values) <= max(MAX_INT, 2 * magnitude(own))


def test_every_form_of_mutation_is_drawn():
    draws = [random.Random(seed) for seed in range(400)]
    assert {mutate(7, draw) for draw in draws} == {8, 6, 0, 1, -7, 14, 3}
    assert {mutate(True, draw) for draw in draws} == {False}
    lists = [mutate([1, 2, 3], draw) for draw in draws]
    for form in ([], [3, 2, 1], [2, 3], [1, 2, 2, 3], [2, 1, 3], [2, 2, 2], [1, 2], [1, 4, 3]):
        assert form in lists
    texts = [mutate("aBc", draw) for draw in draws]
    for form in ("", "aBcaBc", "cBa", "AbC", "abc", "ABC", "a", "Bc", "aB", "aBBc", "Bac"):
        assert form in texts
    assert [[1, 0], [5]] in [mutate([[1, 2], [5]], draw) for draw in draws]


def test_mutants_are_the_same_under_another_hash_seed():
    script = (
        "import random; from sandbox import Call; from trainers.critic.mutation import mutants;"
        "c = [Call(({'ab', 'c', 'd'}, {'x': 'y'}), None)];"
        "r = mutants(c, random.Random(1), 20);"
        "print([(sorted(m.args[0]), m.args[1]) for m in r])"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] != ""


def test_visible_calls_are_those_that_the_prompt_shows_without_their_results():
    problem = shows("assert f(1, k=2) == 3", "assert sorted(f([2])) == [4]", "assert f(1, k=2)")
    (first,) = visible_calls(problem, "visible1")
    assert first == Call((1,), None, {"k": 2}, function="f")
    assert visible_calls(problem, "seed") == [first, Call(([2],), None, function="f", via="sorted")]


@pytest.mark.parametrize(
    "shown", [(), ("assert f(x) == 3",), ("assert f(1",), ("assert g(1) == f",), ("x = f(2)",)]
)
def test_a_problem_whose_visible_tests_are_no_constants_has_no_inputs(shown):
    problem = shows(*shown)
    assert visible_calls(problem, "seed") == []
    assert inputs_of(problem, "seed", [Call((1,), None)], seed=1) == []


def test_doctests_in_the_statement_are_shown_too():
    statement = "Adds.\n>>> f(1)\n2\n>>> f(2) # two\n3\n>>> g(5)\n6\n>>> f(9)\n<object>\n"
    found = visible_calls(shows(statement=statement), "visible1")
    assert args(found) == [(1,), (2,)]


def test_nothing_comes_from_hidden_tests():
    problem = adder(1)  # three tests, of which the prompt shows the first
    hidden = replace(problem, tests={}, tests_hash="", reference="")
    assert inputs_of(problem, "visible1", [], seed=3) == inputs_of(hidden, "visible1", [], seed=3)
    one = replace(problem, visible_tests=problem.visible_tests[:1])
    assert inputs_of(problem, "visible1", [], seed=3) == inputs_of(one, "visible1", [], seed=3)


def test_inputs_are_the_visible_then_the_generated_then_mutants():
    problem = shows("assert f([1, 2], 'a') == 3")
    generated = [Call(([7], "b"), 99), Call(([1, 2], "a"), None), Call(([7], "b"), None)]
    found = inputs_of(problem, "visible1", generated, seed=5)
    assert args(found[:2]) == [([1, 2], "a"), ([7], "b")]
    assert len(found) == WANTED
    assert len({call_key(call) for call in found}) == WANTED
    assert all((call.function, call.expected) == ("f", None) for call in found)
    assert inputs_of(problem, "visible1", generated, seed=5) == found
    assert inputs_of(problem, "visible1", generated, seed=6)[:2] == found[:2]
    assert inputs_of(problem, "visible1", generated, seed=6) != found
    assert inputs_of(problem, "visible1", generated, seed=5, wanted=1) == found[:1]
    assert inputs_of(problem, "visible1", generated, seed=5, wanted=2) == found[:2]


def test_mutants_that_may_hang_a_program_come_last():
    problem = shows("assert f(6, [3]) == 3")
    lowest = [
        min(call.args[0], *call.args[1], 0) for call in inputs_of(problem, "seed", [], seed=1)
    ]
    safe = [number == 0 for number in lowest]
    assert not all(safe)
    assert safe == sorted(safe, reverse=True)
    below = shows("assert f(-6, [3]) == 3")
    assert inputs_of(below, "seed", [], seed=1)[0].args == (-6, [3])


ANSWER = """
Here are some calls, `f([1], "x")`:

1. f([], "")          # empty
2. `f([-1, 0], ')')`
```python
print(f([3, 3,
    3], "it's"))
assert f([10**2], "no") == 1
f([2], "two") == f([2], "three")
my.f([8], "no"); of([8], "no")
f([1, 2], "a", 3); f([1]); f((1,), "t"); f([1], None); f(*[1], "a"); f([1], b="a")
f([x], "no"); f(open("/etc/passwd"), "no"); f(__import__("os"), "no")
f([1.5, True, None, (1,), {"k": {2}}], "any")
f([...], "no"); f([1j], "yes")
f([99999999999], "no"); f([0] * 9, "no"); f([1], "unfinished
"""


def test_calls_are_read_out_of_free_text_when_they_fit():
    found = parse_inputs(ANSWER, "f", LIKE)
    assert args(found) == [
        ([1], "x"),
        ([], ""),
        ([-1, 0], ")"),
        ([3, 3, 3], "it's"),
        ([2], "two"),
        ([2], "three"),
        ([1.5, True, None, (1,), {"k": {2}}], "any"),
        ([1j], "yes"),
    ]
    assert all(call.function == "f" for call in found)


def test_what_is_read_is_bounded_in_number_and_size():
    many = "\n".join(f"f([{number}], 'a')" for number in range(500))
    assert len(parse_inputs(many, "f", LIKE)) == MAX_PARSED
    assert parse_inputs(f"f([1], '{'a' * 900}')", "f", LIKE) == []
    assert parse_inputs(f"f({'[' * 400}{']' * 400}, 'a')", "f", LIKE) == []
    assert parse_inputs("f(" * 3000 + ")" * 3000, "f", LIKE) == []


def test_an_integer_may_stand_for_a_float_and_a_truth_value_for_nothing():
    like = Call((1.5,), None)
    assert args(parse_inputs("f(2) f(2.5) f(True) f('2')", "f", like)) == [(2,), (2.5,)]
    assert args(parse_inputs("f(2) f(2.5) f(True)", "f", Call((1,), None))) == [(2,)]


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text):
    for call in parse_inputs(f"f({text}) f(1) {text} f(", "f", Call((1,), None)):
        assert type(call.args[0]) is int


@given(st.lists(plain, max_size=3), st.lists(plain, max_size=3))
def test_calls_survive_json_and_have_one_hash(first, second):
    calls = [Call(tuple(first), None, function="f"), Call(tuple(second), None, {"k": 1})]
    document = json.loads(json.dumps(calls_to_json(calls)))
    back = calls_from_json(document)
    assert [call_key(call) for call in back] == [call_key(call) for call in calls]
    assert inputs_hash(back) == inputs_hash(calls)
    other = [replace(calls[0], function="g"), calls[1]]
    assert inputs_hash(other) != inputs_hash(calls)
    row = inputs_row("p", calls, origin="visible", generator_id=None, seed=1)
    assert (row.inputs_hash, row.inputs) == (inputs_hash(calls), document)


@pytest.mark.parametrize(("kind", "count"), [("visible1", 1), ("seed", 3)])
def test_the_prompt_for_inputs_shows_no_more_than_the_one_for_programs(kind, count):
    problem = adder(4)
    text = "\n".join(message.content for message in inputs_prompt(problem, kind, 7))
    shown = [one in text for one in problem.visible_tests]
    assert shown == [number < count for number in range(3)]
    assert "Write 7 calls of `add`" in text
