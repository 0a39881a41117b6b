"""Regions rebuild the text after; operations are named by what comes and goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.code_trainer.regions import (
    edited_functions,
    largest_region,
    regions,
    split_lines,
)

LINES = st.lists(st.sampled_from(["a", "b", "c", "def f():", "    x"]), max_size=8)


@given(LINES, LINES)
def test_regions_rebuild(before, after):
    first, second = "\n".join(before), "\n".join(after)
    old = split_lines(first)
    for region in reversed(regions(first, second)):
        assert tuple(old[region.start : region.end]) == region.removed
        old[region.start : region.end] = region.added
    assert "".join(old) == second


@pytest.mark.parametrize(
    ("removed", "added", "operation"),
    [
        ([], ["x = 1"], "add_line"),
        ([], ["", "def f():", "    pass"], "add_function"),
        (["x = 1"], [], "delete_line"),
        (["class A:"], [], "delete_function"),
        (["x = 1"], ["x = 2"], "modify_line"),
        (["def f(a):"], ["def f(a, b):"], "modify_function"),
    ],
)
def test_operations(removed, added, operation):
    around = [f"line_{number}" for number in range(3)]
    texts = ["\n".join([*around, *changed, *around]) for changed in (removed, added)]
    (region,) = regions(*texts)
    assert region.operation == operation


def test_edited_functions():
    before = "def f():\n    a\n    b\n\n\ndef g():\n    c\n"
    assert edited_functions(before, before.replace("    c", "    d")) == ["g"]
    assert edited_functions(before, before.replace("    b\n", "    b\n    more\n")) == ["f"]
    assert edited_functions(before, before + "\n\ndef h():\n    pass\n") == []


def test_largest():
    found = largest_region({"a": "1\n2\n3\n"}, {"a": "1\nx\n3\np\ny\nz\n"})
    assert found is not None
    assert "".join(found.added).split() == ["p", "y", "z"]
    assert largest_region({"a": "1"}, {"a": "1"}) is None
