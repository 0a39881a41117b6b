"""Regions rebuild the text after; operations are named by what comes and goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.code_trainer.regions import (
    edited_functions,
    largest_region,
    operation_of,
    regions,
)

LINES = st.lists(st.sampled_from(["a", "b", "c", "def f():", "    x"]), max_size=8)


@given(LINES, LINES)
def test_regions_rebuild(before, after):
    old = list(before)
    for region in reversed(regions("\n".join(before), "\n".join(after))):
        assert tuple(old[region.start : region.end]) == region.removed
        old[region.start : region.end] = region.added
    assert old == "\n".join(after).splitlines()


@pytest.mark.parametrize(
    ("removed", "added", "operation"),
    [
        ([], ["x = 1"], "add_line"),
        ([], ["", "def f():", "    pass"], "add_function"),
        (["x = 1"], [], "delete_line"),
        (["class A:"], [""], "delete_function"),
        (["x = 1"], ["x = 2"], "modify_line"),
        (["def f(a):"], ["def f(a, b):"], "modify_function"),
    ],
)
def test_operations(removed, added, operation):
    assert operation_of(removed, added) == operation


def test_edited_functions():
    before = "def f():\n    a\n    b\n\n\ndef g():\n    c\n"
    assert edited_functions(before, before.replace("    c", "    d")) == ["g"]
    assert edited_functions(before, before.replace("    b\n", "    b\n    more\n")) == ["f"]
    assert edited_functions(before, before + "\n\ndef h():\n    pass\n") == []


def test_largest():
    found = largest_region({"a": "1\n2\n3"}, {"a": "1\nx\n3\np\ny\nz"})
    assert found is not None
    assert found.added == ("p", "y", "z")
    assert largest_region({"a": "1"}, {"a": "1"}) is None
