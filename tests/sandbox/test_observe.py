"""What each call of an observed program gives; it is no verdict, and none lies of another."""

import math
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_programs import RIGHT, program
from sandbox_values import values

from sandbox import Call, Limits, Observed, Program, Sandbox, Tests, Word
from sandbox.codec import encode
from sandbox.digest import body_digest, digest

INPUTS = Tests("data", "f", calls=tuple(Call((x,), None) for x in (1, 2, 3, 10)))
LIMITS = Limits(cpu_s=0.2, wall_s=5.0)

SHARED = "def f(x):\n    if x == 2:\n        raise ValueError('no')\n    return x + 1\n"
ALONE = "class A: pass\n" + SHARED


def observed(sandbox, code, tests=INPUTS):
    verdict = sandbox.run(Program("k", code, tests, LIMITS, observe=True))
    return verdict, [(one.word.value, one.digest or one.type) for one in verdict.observed]


def gave(*results):
    return [("passed", digest(value)) for value in results]


@pytest.mark.parametrize("code", [SHARED, ALONE])
def test_every_call_is_run_also_after_one_that_raised(sandbox, code):
    verdict, calls = observed(sandbox, code)
    assert verdict.word is Word.OBSERVED
    assert not verdict.passed
    assert calls == [*gave(2), ("error", "ValueError"), *gave(4, 11)]
    assert [one.call for one in verdict.observed] == [0, 1, 2, 3]


def test_what_is_expected_and_how_it_would_be_compared_is_not_looked_at(sandbox):
    call = Call((3,), 4)
    calls = [call, replace(call, expected=0), replace(call, compare="truthy")]
    calls += [replace(call, compare="ne"), replace(call, via="str")]
    verdict, found = observed(sandbox, RIGHT, Tests("data", "f", calls=tuple(calls)))
    assert verdict.word is Word.OBSERVED
    assert found == gave(4, 4, 4, 4, "4")


@pytest.mark.parametrize("prefix", ["", "class A: pass\n"])
def test_the_calls_before_an_endless_one_are_kept_and_the_rest_time_out(sandbox, prefix):
    code = "def f(x):\n    while x == 3:\n        pass\n    return x\n"
    verdict, calls = observed(sandbox, prefix + code)
    assert verdict.word is Word.TIMEOUT
    assert calls == [*gave(1, 2), ("timeout", "CpuTime"), ("timeout", "CpuTime")]


@pytest.mark.parametrize(
    ("code", "word", "kind"),
    [
        ("def f(", Word.SYNTAX_ERROR, "SyntaxError"),
        ("1 / 0", Word.ERROR, "ZeroDivisionError"),
        ("while True: pass", Word.TIMEOUT, "CpuTime"),
        ("import os\nos._exit(0)", Word.ERROR, "NoResult"),
        ("import os\nos.abort()", Word.CRASHED, "SIG"),  # which signal hangs on the level
        ("raise SystemExit(0)", Word.ERROR, "SystemExit"),
    ],
)
def test_what_ends_at_import_ends_every_call(sandbox, code, word, kind):
    verdict, calls = observed(sandbox, code)
    assert verdict.word is word
    assert [one for one, _ in calls] == [word.value] * 4
    assert all(found.startswith(kind) for _, found in calls)


@pytest.mark.parametrize(
    ("body", "word", "kind"),
    [
        ("raise SystemExit", "error", "SystemExit"),
        ("raise KeyboardInterrupt", "error", "KeyboardInterrupt"),
        ("return f(x)", "error", "RecursionError"),
        ("return bytearray(1 << 40)", "out_of_memory", "MemoryError"),
        ("return f", "error", "NotDataError"),
        ("return (i for i in 'a')", "error", "NotDataError"),
        ("return x.missing", "error", "AttributeError"),
    ],
)
def test_a_call_that_fails_in_any_way_spoils_no_other(sandbox, body, word, kind):
    _, calls = observed(sandbox, f"def f(x):\n    if x == 2:\n        {body}\n    return x\n")
    assert calls == [*gave(1), (word, kind), *gave(3, 10)]


@pytest.mark.parametrize(
    ("ending", "word", "kind"),
    [("os._exit(0)", "error", "NoResult"), ("os.abort()", "crashed", "SIG")],
)
def test_the_calls_before_the_programs_own_end_are_kept(sandbox, ending, word, kind):
    code = f"import os\ndef f(x):\n    if x == 3:\n        {ending}\n    return x\n"
    verdict, calls = observed(sandbox, code)
    assert verdict.word.value == word
    assert calls[:2] == gave(1, 2)
    assert [one for one, _ in calls[2:]] == [word, word]
    assert calls[2][1].startswith(kind)


LIAR = """
class Liar:
    def __eq__(self, other): return True
    def __hash__(self): return 0
class Text(str):
    def __eq__(self, other): return True
    __hash__ = str.__hash__
class Number(int):
    pass
def f(x):
    return {1: Liar(), 2: Text("a"), 3: Number(3), 10: [Liar()]}[x]
"""


def test_objects_that_lie_about_equality_are_no_values(sandbox):
    lie = ("error", "NotDataError")
    assert observed(sandbox, LIAR)[1] == [lie, lie, *gave(3), lie]


def test_printed_frames_change_nothing(sandbox):
    code = "def f(x):\n    print('V\\x01\\0\\0\\0NZ\\0\\0\\0\\0', end='')\n    return x\n"
    verdict, calls = observed(sandbox, code)
    assert verdict.word is Word.OBSERVED
    assert calls == gave(1, 2, 3, 10)


FORGED = """
import os
def f(x):
    if x == {when}:
        os.write(3, {frames})
    return x
"""


@pytest.mark.parametrize("when", [1, 2, 10])
@pytest.mark.parametrize(
    "frames", [r"b'V\x01\0\0\0N'", r"b'Z\0\0\0\0'", r"b'X\x01\0\0\0N'", r"b'K\0\0\0\0'", "b'V'"]
)
def test_forged_frames_void_all_calls(sandbox, when, frames):
    verdict, calls = observed(sandbox, FORGED.format(when=when, frames=frames))
    assert verdict.word is Word.ERROR
    assert calls[0] == ("error", "Malformed") or frames == "b'V'"
    assert len(calls) == 4
    assert not verdict.passed


def test_a_program_that_forges_lies_only_about_itself(sandbox):
    forger = "import os\nos.write(3, b'V\\x01\\0\\0\\0N' * 4 + b'Z\\0\\0\\0\\0')\nos._exit(0)\n"
    honest = [Program(f"h{n}", SHARED, INPUTS, LIMITS, observe=True) for n in range(20)]
    programs = [*honest[:10], Program("forger", forger, INPUTS, LIMITS, observe=True), *honest[10:]]
    found = {verdict.key: verdict for verdict in sandbox.run_many(programs)}
    assert not found.pop("forger").passed
    assert len(found) == 20
    for verdict in found.values():
        assert verdict.observed[3] == Observed(3, Word.PASSED, digest(11))


def test_arguments_are_made_anew_for_every_call_and_program(sandbox):
    tests = Tests("data", "f", calls=(Call(([1, 2],), None),) * 2)
    code = "def f(x):\n    x.append(len(x))\n    return x\n"
    programs = [Program(str(n), code, tests, LIMITS, observe=True) for n in range(40)]
    for verdict in sandbox.run_many(programs):
        assert [one.digest for one in verdict.observed] == [digest([1, 2, 2])] * 2


def test_a_mixed_stream_is_the_same_one_by_one_and_alone(sandbox):
    codes = [SHARED, ALONE, RIGHT, "def f(", "def f(x): return f(x)", "while True: pass", LIAR]
    codes += ["def f(x): return {x: [x / 3]}", "import random\ndef f(x): return random.random()"]
    programs = [Program(str(n), code, INPUTS, LIMITS, observe=True) for n, code in enumerate(codes)]
    judged = [replace(one, key=f"judged{one.key}", observe=False) for one in programs]
    mixed = [each for pair in zip(programs, judged, strict=True) for each in pair] * 3
    found = {verdict.key: verdict for verdict in sandbox.run_many(mixed)}
    with Sandbox(workers=1, share=False) as alone:
        for each in programs:
            single = alone.run(each)
            assert (single.word, single.observed) == (
                found[each.key].word,
                found[each.key].observed,
            )
    for each in judged:
        assert found[each.key].observed == ()
        assert found[each.key].word is not Word.OBSERVED


def test_setup_code_and_other_functions_are_used(sandbox):
    tests = Tests("data", "f", calls=(Call((1,), None, function="g"),), setup_code="K = 5")
    assert observed(sandbox, "def g(x): return x + K", tests)[1] == gave(6)


def test_a_result_that_is_too_large_keeps_the_calls_before(sandbox):
    code = "def f(x):\n    return 'a' * (x if x < 3 else 1 << 23)\n"
    verdict, calls = observed(sandbox, code)
    assert verdict.word is Word.ERROR
    assert calls == [*gave("a", "aa"), *[("error", "ResultTooLarge")] * 2]


@pytest.mark.parametrize(
    "wrong",
    [
        Program("k", RIGHT, Tests("split", "f", test_code="assert f(1) == 2"), observe=True),
        Program("k", RIGHT, INPUTS, observe=True, trace=True),
    ],
)
def test_split_mode_and_traces_are_refused(wrong):
    with Sandbox(workers=1) as box, pytest.raises(ValueError, match=r"data mode only|not both"):
        box.run(wrong)


@pytest.mark.parametrize(
    "equal",
    [
        (1, 1.0, True, Fraction(1), Decimal(1), Decimal("1.0"), 1 + 0j),
        (0, -0.0, False, Decimal("-0")),
        (0.5, Fraction(1, 2), Decimal("0.5")),
        (10**20, 1e20, Decimal("1E+20")),
        (2**60, 2.0**60),
        (12345678901, 12345678901.0, 12345678901.000002),
        (0.1 + 0.2, 0.3, sum([0.1] * 3)),
        (math.inf, Decimal("Infinity")),
        (math.nan, Decimal("nan")),
        ({1, 2, 3}, frozenset([3, 2, 1]), {1.0, 2, True + 2}),
        ({"a": 1, "b": 2}, OrderedDict(b=2, a=1), defaultdict(None, a=1.0, b=2), Counter("abb")),
        (b"ab", bytearray(b"ab")),
        (range(0, 3, 2), range(0, 4, 2)),
        (range(5, 5), range(0)),
        (range(4, 5, 3), range(4, 5)),
        ([(1, 2.0)], [(1.0, 2)]),
    ],
)
def test_equal_values_have_one_digest(equal):
    assert len({digest(value) for value in equal}) == 1
    assert {body_digest(encode(value)) for value in equal} == {digest(equal[0])}


def test_values_that_differ_have_digests_that_do():
    different = [
        None, 0, 1, -1, 2, 1.5, 1.500001, "1", "", b"1", [], (), set(), {}, [1], (1,), {1}, {1: 1},
        [[1], 2], [1, [2]], [1, 2], [2, 1], ["ab"], ["a", "b"], {1: 2}, {2: 1}, range(3), [0, 1, 2],
        deque([1]), 1j, 1 + 1j, math.inf, -math.inf, math.nan, "\ud800", 10**5000, 10**5000 + 1,
        Decimal("1E+999999999"), Fraction(10**400), [None, []], "s1:a", 123456789012, 123456789013,
    ]  # fmt: skip
    assert len({digest(value) for value in different}) == len(different)


@settings(max_examples=300, deadline=None)
@given(values)
def test_a_digest_survives_the_way_out_of_the_sandbox(value):
    assert body_digest(encode(value)) == digest(value)


@given(st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=8), st.randoms())
def test_equal_containers_in_another_order_agree(numbers, random):
    shuffled = random.sample(numbers, len(numbers))
    assert digest(set(numbers)) == digest(set(shuffled))
    assert digest(dict.fromkeys(numbers, 1)) == digest(dict.fromkeys(shuffled, True))
    assert digest(sorted(numbers)) == digest(sorted(shuffled))


def test_an_observed_run_and_a_verdict_on_the_same_tests_stay_apart(sandbox):
    right = program(RIGHT)
    seen, judged = replace(right, key="seen", observe=True), replace(right, key="judged")
    found = {one.key: one for one in sandbox.run_many([seen, judged, seen, judged])}
    assert (found["seen"].word, found["judged"].word) == (Word.OBSERVED, Word.PASSED)
