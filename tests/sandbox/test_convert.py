"""Data sets' tests become data where that is exact, and say why where it is not."""

import pytest

from sandbox import (
    Call,
    ConversionError,
    Program,
    from_asserts,
    from_check,
    tests_from_json,
    tests_to_json,
)


@pytest.mark.parametrize(
    ("source", "call"),
    [
        ("assert f(1, b=[2]) == {'a': (1,)}", Call((1,), {"a": (1,)}, {"b": [2]})),
        ("assert (f(-1.5)) == 2 * 3 + 1", Call((-1.5,), 7)),
        ("assert 3 == f(1)", Call((1,), 3)),
        ("assert f(1) != 3", Call((1,), 3, compare="ne")),
        ("assert f([])", Call(([],), None, compare="truthy")),
        ("assert not f([])", Call(([],), None, compare="falsy")),
        ("assert f(1) is True", Call((1,), True, compare="is")),
        ("assert f(1) is None", Call((1,), None, compare="is")),
        ("assert set(f((1, 2))) == set((1, 2))", Call(((1, 2),), {1, 2}, via="set")),
        ("assert sorted(f('b')) == ['a']", Call(("b",), ["a"], via="sorted")),
        ("assert abs(f(1) - 2.5) < 1e-6", Call((1,), 2.5, compare="abs_lt", tolerance=1e-6)),
        (
            "import math\nassert math.isclose(f(1), 2.5, rel_tol=0.1)",
            Call((1,), 2.5, compare="isclose", tolerance=0.1),
        ),
        ("assert g(1) == 2", Call((1,), 2, function="g")),
        ("x = [1]\nassert f(x) == x", Call(([1],), [1])),
        ("assert f(float('inf')) == Counter('ab')", None),
    ],
)
def test_exact_asserts_become_calls(source, call):
    tests = from_asserts([source], entry_point="f")
    assert tests.mode == "data", tests.reason
    assert call is None or tests.calls == (call,)


@pytest.mark.parametrize(
    "source",
    [
        "assert f(int) == 2",
        "assert f(g(1)) == 2",
        "assert f(1) == f(2)",
        "assert f(1)[0] == 2",
        "x = [1]\nf(x)\nassert x == [2]",
        "for i in range(3): assert f(i) == i",
        "assert f(9 ** 9 ** 9) == 1",
        "assert f([0] * 10 ** 12) == 1",
        "assert f(*[1]) == 1",
        "assert f(1) == 1 and f(2) == 2",
    ],
)
def test_other_asserts_are_split_with_a_reason(source):
    tests = from_asserts(["assert f(0) == 0", source], entry_point="f")
    assert tests.mode == "split"
    assert tests.reason
    assert source in tests.test_code


def test_the_entry_point_is_what_is_called_most():
    assert from_asserts(["assert len(h(1)) == 2", "assert h(2) == 2"]).entry_point == "h"
    assert from_asserts(["assert sum(1, 2) == 3"]).entry_point == "sum"
    with pytest.raises(ConversionError):
        from_asserts(["assert True"])
    with pytest.raises(ConversionError, match="no Python"):
        from_asserts(["assert f( == 1"])


def test_setup_code_that_makes_things_splits():
    assert from_asserts(["assert f(1) == 1"], setup_code="import math").mode == "data"
    assert from_asserts(["assert f(r) == 1"], setup_code="r = Node(1)").mode == "split"


def test_checks_become_data_or_keep_their_helpers():
    check = "def check(candidate):\n    assert candidate(1) == 2\n    assert True\n"
    assert from_check(check, "f").calls == (Call((1,), 2),)
    loop = "def check(candidate):\n    for i in range(3):\n        assert candidate(h(i)) == i\n"
    tests = from_check(loop, "f", prompt='def h(x):\n    return x\ndef f(x):\n    """Do."""\n')
    assert tests.mode == "split"
    assert "def h" in tests.setup_code
    assert "def f" not in tests.setup_code
    with pytest.raises(ConversionError, match="no check"):
        from_check("def other(): pass", "f")


def test_sets_reach_the_candidate_in_the_order_of_a_display(sandbox):
    plain = tuple({12, 13, 14, 15, 16})
    tests = from_asserts([f"assert f({{12, 13, 14, 15, 16}}) == {plain}"])
    assert tests.mode == "data"
    again = tests_from_json(tests_to_json(tests))
    for one in (tests, again):
        assert sandbox.run(Program("k", "def f(s): return tuple(s)", one)).passed
