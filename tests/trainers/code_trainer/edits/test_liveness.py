"""Dangling names: parameters and variables that nothing reads, names that nothing sets."""

import ast

import pytest

from trainers.code_trainer.edits.liveness import Names, change
from trainers.code_trainer.edits.tree import put

CASES = [
    ("def f(a, b):\n    return a", (1, 0, 0)),
    ("def f(a):\n    b = a", (0, 1, 0)),
    ("def f(a):\n    return c", (1, 0, 1)),
    ("import os.path\nfor x, (y, *z) in os.walk('.'):\n    print(x, y)", (0, 1, 0)),
    ("with open('a') as f:\n    f.read()", (0, 0, 0)),
    ("d = {}\nd['a'] = [k for k in d]", (0, 0, 0)),
    ("try:\n    g()\nexcept ValueError as e:\n    print(e)\ndef g(): pass", (0, 0, 0)),
    ("if (n := len('')):\n    print(n)", (0, 0, 0)),
]


@pytest.mark.parametrize(("source", "wanted"), CASES)
def test_dangling_names_are_counted(source, wanted):
    names = Names.of(ast.parse(source))
    assert (names.unread_parameters, names.unread_variables, names.unset) == wanted


def test_a_name_that_an_edit_puts_where_something_is_assigned_is_set():
    before = ast.parse("a = 1\nprint(a, b)")
    after = put(before, (("body", 0), ("targets", 0)), ast.Name("b", ast.Load()))
    assert Names.of(after).stored == {"b"}
    assert change(before, after) == {
        "unread.parameters": 0.0, "unread.variables": 0.0, "unset.names": 0.0,
    }  # fmt: skip


def test_what_a_change_leaves_dangling_is_the_difference():
    before = ast.parse("def f(a, b):\n    c = a + b\n    return c")
    after = put(before, (("body", 0), ("body", 1), ("value", None)), ast.Name("a", ast.Load()))
    assert change(before, after)["unread.variables"] == 1.0
    assert change(after, before)["unread.variables"] == -1.0
