"""What programs get: the words, what is told of a failure, the limits."""

import time

import pytest
from sandbox_programs import QUICK, RIGHT, data_tests, program

from sandbox import Call, Limits, Program, Tests, Word, from_asserts

WORDS = [
    (RIGHT, Word.PASSED),
    ("def f(x): return x", Word.FAILED),
    ("def f(x): raise ValueError('no')", Word.ERROR),
    ("def f(x) return", Word.SYNTAX_ERROR),
    ("def f(x):\n    while True: pass", Word.TIMEOUT),
    ("while True: pass", Word.TIMEOUT),
    ("def f(x): return [0] * 10**10", Word.OUT_OF_MEMORY),
    ("import ctypes\ndef f(x): ctypes.string_at(0)", Word.CRASHED),
    ("import os\ndef f(x): os.abort()", Word.CRASHED),
    ("def g(x): return x + 1", Word.ERROR),
    ("import sys\nsys.exit(0)", Word.ERROR),
    ("import os\nos._exit(0)", Word.ERROR),
    ("def f(x):\n    return input()", Word.ERROR),
    ("\x00", Word.SYNTAX_ERROR),
    ("(" * 10_000, Word.SYNTAX_ERROR),
    ("def f(x): return iter([x + 1])", Word.ERROR),
    ("import time\ndef f(x): time.sleep(1000)", Word.TIMEOUT),
    ("", Word.ERROR),
    ("\ud800", Word.SYNTAX_ERROR),
]


@pytest.mark.parametrize(("code", "word"), WORDS)
def test_words(sandbox, code, word):
    verdict = sandbox.run(program(code))
    assert verdict.word is word, verdict
    assert verdict.key == "k"
    assert (verdict.level, verdict.version) == (sandbox.level, sandbox.version)
    assert verdict.wall_s < QUICK.wall_s + 1


def test_the_first_failing_call_is_told(sandbox):
    verdict = sandbox.run(program("def f(x):\n    return 2 if x == 1 else None\n"))
    assert (verdict.failure.call, verdict.failure.text) == (1, "gave None")
    verdict = sandbox.run(program("def f(x):\n    if x == 2:\n        1 / 0\n    return 2\n"))
    failure = verdict.failure
    assert (failure.call, failure.type, failure.line) == (1, "ZeroDivisionError", 3)
    assert failure.text == "division by zero"


def test_a_wrong_value_counts_before_what_came_later(sandbox):
    code = "import time\ndef f(x):\n    time.sleep(0.1)\n    while x == 2: pass\n    return 5\n"
    assert sandbox.run(program(code)).word is Word.FAILED


def test_hostile_error_text_is_not_run(sandbox):
    code = (
        "class E(Exception):\n    def __str__(self):\n        while True: pass\n"
        "    __repr__ = __str__\ndef f(x): raise E(E())\n"
    )
    verdict = sandbox.run(program(code))
    assert (verdict.word, verdict.failure.type) == (Word.ERROR, "E")
    assert verdict.wall_s < 0.5


def test_output_is_kept_at_its_head_and_tail(sandbox):
    code = "print('first')\nfor i in range(6000): print('line', i)\n" + RIGHT
    verdict = sandbox.run(program(code))
    assert verdict.passed
    assert verdict.output_head.startswith("first\nline 0\n")
    assert verdict.output_tail.endswith("line 5999\n")
    assert len(verdict.output_head) + len(verdict.output_tail) <= Limits().output_bytes


def test_usage_is_measured(sandbox):
    code = "x = bytearray(200_000_000)\nsum(range(3_000_000))\n" + RIGHT
    verdict = sandbox.run(program(code))
    assert verdict.passed
    assert 0.02 < verdict.cpu_s < 1
    assert verdict.wall_s >= verdict.cpu_s / 2
    assert verdict.peak_memory_mb > 150


def test_cpu_limits_finer_than_a_second(sandbox):
    limits = Limits(cpu_s=0.2, wall_s=5)
    verdict = sandbox.run(program("while True: pass", limits=limits))
    assert verdict.word is Word.TIMEOUT
    assert verdict.wall_s < 2


def test_inputs_are_made_anew_for_every_call(sandbox):
    shared = [1, 2]
    tests = data_tests(Call((shared,), 2), Call((shared,), 2))
    assert sandbox.run(
        program("def f(x):\n    n = len(x)\n    x.clear()\n    return n", tests)
    ).passed


def test_arguments_of_every_type_arrive_exactly(sandbox):
    from collections import Counter, deque

    args = (1, -0.0, "\ud800", b"a", bytearray(b"b"), {1}, (2,), {"k": [None]}, Counter("a"), 2**80)
    tests = data_tests(Call((*args, deque([1])), [type(a).__name__ for a in args] + ["deque"]))
    assert sandbox.run(program("def f(*a): return [type(x).__name__ for x in a]", tests)).passed


def test_results_above_the_cap(sandbox):
    verdict = sandbox.run(program("def f(x): return 'x' * 2**26"))
    assert (verdict.word, verdict.failure.type) == (Word.ERROR, "ResultTooLarge")


def test_via_and_truth(sandbox):
    tests = data_tests(
        Call((3,), [0, 1, 2], via="list"),
        Call((3,), None, compare="truthy"),
        Call((3,), {0, 1, 2}, compare="set_eq"),
    )
    assert sandbox.run(program("def f(n): return iter(range(n))", tests)).passed


def test_hash_order_and_random_are_the_same_every_time(sandbox):
    code = (
        "import random\ndef f(x):\n    return (list({'a', 'b', 'c', 'd', 'zz'}), random.random())\n"
    )
    texts = {sandbox.run(program(code)).failure.text for _ in range(6)}
    assert len(texts) == 1


def test_a_main_block_is_not_run(sandbox):
    assert sandbox.run(program(RIGHT + "if __name__ == '__main__':\n    input()\n")).passed


SPLIT = from_asserts(
    ["assert f(1) == 2", "x = [3]\nassert g(x) is None and x == [3, 4]", "assert P(5).x == 5"],
    entry_point="f",
)
SPLIT_RIGHT = RIGHT + ("def g(l): l.append(4)\nclass P:\n    def __init__(self, x): self.x = x\n")


def test_split_mode(sandbox):
    assert SPLIT.mode == "split"
    assert sandbox.run(program(SPLIT_RIGHT, SPLIT)).passed
    verdict = sandbox.run(program(SPLIT_RIGHT.replace("append(4)", "append(5)"), SPLIT))
    assert verdict.word is Word.FAILED


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("def f(x) return", Word.SYNTAX_ERROR),
        ("1 / 0", Word.ERROR),
        ("import os\ndef f(x): os._exit(0)", Word.ERROR),
        ("import os\nos._exit(0)", Word.ERROR),
        ("import ctypes\ndef f(x): ctypes.string_at(0)", Word.CRASHED),
        ("def f(x):\n    while True: pass", Word.TIMEOUT),
        ("def f(x): return [0] * 10**10", Word.OUT_OF_MEMORY),
        ("def f(x): raise KeyError(x)", Word.ERROR),
        ("class A:\n    def __eq__(s, o): return True\ndef f(x): return A()", Word.FAILED),
        ("def f(x): raise SystemExit(0)", Word.ERROR),
        ("import os\ndef f(x):\n    os.write(4, b'x' * 1000)\n    return 2", Word.ERROR),
        ("import os\ndef f(x):\n    os.close(4)\n    return 2", Word.ERROR),
    ],
)
def test_split_mode_words(sandbox, code, word):
    assert sandbox.run(program(code, SPLIT)).word is word


def test_split_mode_shadows_no_builtin(sandbox):
    tests = Tests("split", "f", test_code="assert abs(f(1) - 5) < 1 and len([f(1)]) == 1")
    lies = "def abs(x): return 0\ndef len(x): return 1\ndef f(x): return 99\n"
    assert sandbox.run(program(lies, tests)).word is Word.FAILED


def test_split_mode_errors_are_caught_by_their_type(sandbox):
    code = "def f(x):\n    raise ValueError('bad')\n"
    tests = Tests(
        "split",
        "f",
        test_code=(
            "try:\n    f(1)\nexcept ValueError as e:\n    assert str(e) == 'bad'\n"
            "else:\n    assert False\n"
        ),
    )
    assert sandbox.run(program(code, tests)).passed
    assert sandbox.run(program("def f(x): pass", tests)).word is Word.FAILED


def test_latency_is_that_of_the_program(sandbox):
    sandbox.run(program(RIGHT))
    start = time.monotonic()
    for _ in range(20):
        assert sandbox.run(Program("k", RIGHT, program("").tests)).passed
    assert time.monotonic() - start < 5
