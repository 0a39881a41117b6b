"""Localisation, openings and what is cut of an infilled text."""

from scripted import adder

from sandbox import CallTrace, Failure, Sandbox, Word, from_asserts
from trainers.fractal.python.judge import Judge, likeness
from trainers.fractal.python.localise import Blame, Evidence, suspects
from trainers.fractal.python.patches import INFILL, REST, REWRITE, Asker, cut_middle, infill_stops
from trainers.fractal.python.program import PythonProgram, surprise_of
from trainers.fractal.python.roots import roots_of
from trainers.ochiai import ochiai

CODE = "def f(x):\n    if x > 0:\n        return x + 1\n    return x\n"
ASSERTS = ["assert f(1) == 3", "assert f(-1) == -1", "assert f(2) == 4"]


def program_opened(arm: str, place: int = 2) -> PythonProgram:
    root = roots_of(CODE)[place]
    opened = Asker(adder(1), "visible1").open(PythonProgram(CODE), root, arm, "it fails.")
    assert opened is not None
    return opened


def test_ochiai_of_one_failing_and_one_passing_call():
    trace = [
        CallTrace(None, Word.PASSED, frozenset({1})),
        CallTrace(0, Word.FAILED, frozenset({2, 3})),
        CallTrace(1, Word.PASSED, frozenset({2, 4})),
    ]
    found = ochiai(trace)
    assert found == {2: 1 / 2**0.5, 3: 1.0, 4: 0.0}
    assert ochiai(trace[:1]) == {}


def test_the_sandbox_coverage_blames_the_statement_that_only_failing_calls_reach():
    tests = from_asserts(ASSERTS, entry_point="f")
    with Sandbox(workers=1) as sandbox:
        judge = Judge(sandbox, tests)
        (verdict,) = judge.words([CODE])
        evidence = judge.evidence(CODE, verdict)
    roots = roots_of(CODE)
    ranked = suspects(PythonProgram(CODE), roots, evidence, Blame())
    first = roots[ranked[0].root]
    assert CODE[first.start : first.end] == "return x + 1"
    innocent = {CODE[roots[one.root].start : roots[one.root].end] for one in ranked}
    assert "return x" not in innocent


def test_the_line_that_raised_is_blamed_before_others():
    code = "def f(x):\n    y = x\n    return y[0]\n"
    evidence = Evidence((), Failure(0, "TypeError", "", 3))
    ranked = suspects(PythonProgram(code), roots_of(code), evidence, Blame())
    assert roots_of(code)[ranked[0].root].first == 3


def test_what_its_writer_doubted_is_blamed_where_nothing_else_is_known():
    code = "def f(x):\n    y = x\n    return y\n"
    at = code.index("return y") + 7
    program = PythonProgram(code, ((code.index("y = x"), -0.1), (at, -3.0)))
    ranked = suspects(program, roots_of(code), Evidence(), Blame())
    assert roots_of(code)[ranked[0].root].first == 3


def test_the_tokens_of_an_answer_are_found_in_its_code():
    answer = [("Here:\n```python\n", -1.0), ("def f", -2.0), ("(): pass", -3.0), ("\n```", 0.0)]
    text = "".join(piece for piece, _ in answer)
    assert surprise_of("def f(): pass", text, answer) == ((0, -2.0), (5, -3.0))
    assert surprise_of("other", text, answer) == ()


def test_a_span_is_opened_between_its_prefix_and_its_suffix():
    opened = program_opened(INFILL)
    request = opened.opening.request
    assert request.prefix.endswith("    if x > 0:\n        ")
    assert request.suffix == "\n    return x\n"
    assert "adds 1" in request.prefix
    assert "\n    return x" in infill_stops(opened)


def test_the_rest_of_the_function_is_opened_to_its_end():
    opened = program_opened(REST)
    assert opened.opening.request.suffix == "\n"
    assert opened.opening.whole


def test_a_rewrite_shows_the_program_and_how_it_fails():
    messages = program_opened(REWRITE).opening.request.messages
    assert "return x + 1" in messages[-2].content
    assert "it fails." in messages[-1].content


def test_what_runs_on_beyond_the_span_is_cut():
    opened = program_opened(INFILL)
    middle = "return x + 2\n    return x\n\ndef g():\n    pass"
    assert cut_middle(middle, opened.opening, header=False) == "return x + 2"
    assert cut_middle(
        "if x:\n            y = 1\n        return y\n```\n", opened.opening, False
    ) == ("if x:\n            y = 1\n        return y")
    filled = opened.filled("return x + 2", [("return", -0.5), (" x + 2", -0.1)], 3, -0.6)
    assert filled.code == CODE.replace("x + 1", "x + 2")
    assert filled.opening is None
    assert [place for place, _ in filled.surprise] == [
        CODE.index("return"),
        CODE.index("return") + 6,
    ]


def test_a_value_near_the_expected_one_is_liker():
    call = from_asserts(["assert f(1) == [1, 2, 3]"], entry_point="f").calls[0]
    assert likeness("[1, 2, 4]", call) > likeness("[9]", call) > likeness("None", call)
