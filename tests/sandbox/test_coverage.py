"""The lines that each call reaches, and how each call went."""

import pytest
from sandbox_programs import RIGHT, program

from sandbox import Call, Limits, Program, Sandbox, Tests, Word

CODE = """\
import math
def g(x):
    if x > 5:
        return x
    return x + 1
def f(x):
    if x == 2:
        raise ValueError("no")
    if x == 10:
        while True:
            x += 1
    y = g(x)
    return y
"""
CALLS = ((1, 2), (2, 3), (3, 5), (7, 7), (10, 11), (4, 5))
TESTS = Tests("data", "f", calls=tuple(Call((x,), y) for x, y in CALLS))
LIMITS = Limits(cpu_s=0.1)


def traced(sandbox, code, tests=TESTS):
    verdict = sandbox.run(Program("k", code, tests, LIMITS, trace=True))
    return verdict, [(one.call, one.word, sorted(one.lines)) for one in verdict.trace]


def test_every_call_has_its_word_and_its_lines_up_to_an_endless_one(sandbox):
    verdict, trace = traced(sandbox, CODE)
    assert (verdict.word, verdict.failure.call, verdict.failure.line) == (Word.ERROR, 1, 8)
    assert trace == [
        (None, Word.PASSED, [1, 2, 6]),
        (0, Word.PASSED, [3, 5, 7, 9, 12, 13]),
        (1, Word.ERROR, [7, 8]),
        (2, Word.FAILED, [3, 5, 7, 9, 12, 13]),
        (3, Word.PASSED, [3, 4, 7, 9, 12, 13]),
        (4, Word.TIMEOUT, [7, 9, 10, 11]),
    ]


def test_a_right_program_passes_and_has_all_its_calls(sandbox):
    verdict, trace = traced(sandbox, RIGHT, program("").tests)
    assert verdict.passed
    assert verdict.failure is None
    assert [call for call, _, _ in trace] == [None, *range(len(program("").tests.calls))]
    assert all(lines == [2] for call, _, lines in trace if call is not None)


def test_functions_of_one_line_are_seen(sandbox):
    tests = Tests("data", "f", calls=(Call((1,), 1),))
    _, trace = traced(sandbox, "def f(x): return g(x)\ng = lambda x: x\n", tests)
    assert trace == [(None, Word.PASSED, [1, 2]), (0, Word.PASSED, [1, 2])]


@pytest.mark.parametrize(
    ("code", "word", "lines"),
    [
        ("def f(", Word.SYNTAX_ERROR, []),
        ("x = 1\n1 / 0", Word.ERROR, [1, 2]),
        ("x = 1\nwhile True:\n    x += 1", Word.TIMEOUT, [1, 2, 3]),
        ("import os\nos._exit(0)", Word.ERROR, [1, 2]),
        ("import os\nos.abort()", Word.CRASHED, [1, 2]),
    ],
)
def test_what_ends_at_import_has_one_trace(sandbox, code, word, lines):
    verdict, trace = traced(sandbox, code)
    assert verdict.word is word
    assert trace == [(None, word, lines)]


def test_a_program_cannot_gain_by_hiding_its_lines(sandbox):
    code = "import sys\ndef f(x):\n    sys.settrace(None)\n    return 0\n"
    verdict, trace = traced(sandbox, code)
    assert verdict.word is Word.FAILED
    assert {word for call, word, _ in trace if call is not None} == {Word.FAILED}


@pytest.mark.parametrize("code", [RIGHT, CODE, "def f(x): return 0", "def f(x): raise E", "x ="])
def test_the_verdict_is_that_of_a_plain_run(sandbox, code):
    tests = Tests("data", "f", calls=TESTS.calls[:4])
    plain = sandbox.run(Program("k", code, tests))
    verdict, _ = traced(sandbox, code, tests)
    assert (verdict.word, verdict.failure) == (plain.word, plain.failure)


def test_split_mode_has_no_lines():
    split = Tests("split", "f", test_code="assert f(1) == 2")
    with Sandbox(workers=1) as box, pytest.raises(ValueError, match="data mode"):
        box.run(Program("k", RIGHT, split, trace=True))
