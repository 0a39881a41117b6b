"""Roots: spans that stand for themselves in the source, blocks and headers, what does not parse."""

import ast
import inspect
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.fractal.python.roots import function_end, roots_of

CODE = '''import math

def f(xs, n):
    """Doc."""
    total = 0
    for x in xs:
        if x > n:
            total += math.floor(
                x
            )
        else:
            total -= 1
    return total


class A:
    def g(self): return 1
'''


def texts(code: str, kind: str) -> list[str]:
    return [code[root.start : root.end] for root in roots_of(code) if root.kind == kind]


def test_statements_blocks_and_headers_have_their_exact_text():
    assert texts(CODE, "statement") == [
        "total = 0",
        "total += math.floor(\n                x\n            )",
        "total -= 1",
        "return total",
        "return 1",
    ]
    assert texts(CODE, "header") == ["for x in xs:", "if x > n:"]
    assert [text.splitlines()[0] for text in texts(CODE, "block")] == ["for x in xs:", "if x > n:"]


def test_lines_and_indentation_are_those_of_the_source():
    for root in roots_of(CODE):
        before = CODE[: root.start]
        assert before.count("\n") + 1 == root.first
        assert root.last == root.first + CODE[root.start : root.end].count("\n")
        assert root.kind == "statement" or root.indent == len(before.rpartition("\n")[2])


def test_characters_of_several_bytes_move_nothing():
    code = "def f():\n    é = 'ü'; b = 2\n    return b\n"
    assert texts(code, "statement") == ["é = 'ü'", "b = 2", "return b"]


def test_what_does_not_parse_is_one_tail_behind_the_longest_prefix_that_does():
    code = "def f(x):\n    y = x\n    return y +\n"
    (root,) = roots_of(code)
    assert (root.kind, code[: root.start].strip(), root.end) == (
        "tail", "def f(x):\n    y = x", len(code),
    )  # fmt: skip
    assert code[root.start : root.end] == "return y +\n"
    ast.parse(code[: root.start - root.indent])


@pytest.mark.parametrize("code", ["", "x = 1\n", "import math\n", "\x00"])
def test_programs_without_a_function_have_no_root_or_a_tail(code):
    assert all(root.kind == "tail" for root in roots_of(code))


def test_the_end_of_the_function_around_a_root():
    root = roots_of(CODE)[0]
    assert CODE[: function_end(CODE, root)].endswith("return total")


@given(st.sampled_from([ast, inspect, textwrap]), st.data())
def test_any_root_of_real_code_can_be_put_back(module, data):
    code = inspect.getsource(module)
    roots = roots_of(code)
    root = data.draw(st.sampled_from(roots))
    text = code[root.start : root.end]
    assert code[: root.start] + text + code[root.end :] == code
    if root.kind == "statement":
        lines = textwrap.dedent(" " * root.indent + text)
        ast.parse(f"def f():\n while 1:\n{textwrap.indent(lines, '  ')}")
