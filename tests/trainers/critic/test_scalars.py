"""Facts of programs: normal forms, syntax, what siblings have in common."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainers.critic.normalise import normalise
from trainers.critic.scalars import AMONG, NAMES, OWN, among_facts, own_facts

ADD = "def f(a, b):\n    '''doc'''\n    total = a + b  # sum\n    return total"
RENAMED = "def f(x: int, y) -> int:\n    s = x+y\n\n    return s"
OTHER = "def f(x, y):\n    s = x - y\n    return s"


def facts(code, **more):
    given = {"entry_point": "f", "arguments": 2, "tokens": 9, "logprob": -4.5} | more
    return dict(zip(OWN, own_facts(code, normalise(code, "f"), **given), strict=True))


def test_names_comments_and_layout_make_no_other_program():
    assert normalise(ADD, "f").digest == normalise(RENAMED, "f").digest
    assert normalise(ADD, "f").digest != normalise(OTHER, "f").digest


def test_what_a_program_does_not_bind_keeps_its_name():
    first, second = "def f(x):\n    return x + z", "def f(x):\n    return x + y"
    assert normalise(first, "f").digest != normalise(second, "f").digest
    swapped = "def f(a, b):\n    return a - b", "def f(a, b):\n    return b - a"
    assert normalise(swapped[0], "f").digest != normalise(swapped[1], "f").digest
    attributes = "def f(x):\n    return x.real", "def f(x):\n    return x.imag"
    assert normalise(attributes[0], "f").digest != normalise(attributes[1], "f").digest


@given(st.text())
def test_no_text_breaks_the_facts(code):
    normal = normalise(code, "f")
    assert normalise(code, "f").digest == normal.digest
    assert len(
        own_facts(code, normal, entry_point="f", arguments=1, tokens=0, logprob=-1.0)
    ) == len(OWN)


def test_a_deep_program_is_taken_as_it_is():
    code = "def f(x):\n    return " + "-" * 3000 + "x"
    assert normalise(code, "f").digest == normalise(code, "f").digest


def test_facts_say_what_is_known_and_leave_the_rest_open():
    known = facts("def f(n, m=1):\n    return f(n) + q")
    assert (known["mean_logprob"], known["sum_logprob"]) == (-0.5, -4.5)
    assert (known["parses"], known["defines_entry_point"], known["calls_itself"]) == (1, 1, 1)
    assert (known["undefined_names"], known["takes_the_arguments"]) == (1, 1)
    broken = facts("def f(:", logprob=None)
    assert broken["parses"] == 0
    assert math.isnan(broken["mean_logprob"])
    assert math.isnan(broken["undefined_names"])


def test_a_function_that_cannot_take_the_shown_arguments_is_told():
    assert facts("def f(a):\n    return a")["takes_the_arguments"] == 0
    assert facts("def f(*a):\n    return a")["takes_the_arguments"] == 1
    assert facts("def f(a, b, c):\n    return a")["takes_the_arguments"] == 0
    assert facts("def f(a, b, *, c):\n    return a")["takes_the_arguments"] == 0
    assert math.isnan(facts("def g(a):\n    return a")["takes_the_arguments"])
    assert math.isnan(facts("def f(a):\n    return a", arguments=None)["takes_the_arguments"])


def test_siblings_share_a_form_and_likeness_does_not_hang_on_their_order():
    normals = [normalise(code, "f") for code in (ADD, RENAMED, OTHER, "def f(:")]
    found = among_facts(normals)
    assert found[:, 0].tolist() == [0.5, 0.5, 0.25, 0.25]
    assert found[0, 1] == found[1, 1] > found[2, 1] > found[3, 1]
    np.testing.assert_allclose(among_facts(normals[::-1])[::-1], found)
    assert among_facts(normals[:1]).shape == (1, len(AMONG))
    assert len(NAMES) == len(OWN) + len(AMONG)
