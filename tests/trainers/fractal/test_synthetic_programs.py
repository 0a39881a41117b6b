"""Programs as text: what is read, what is computed, what is refused."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_synthetic import program

from trainers.fractal.synthetic.programs import ChainProgram, Op, Root, SyntheticTask, run
from trainers.fractal.synthetic.verifier import parse, verify

roots = st.builds(Root, st.sampled_from(Op), st.integers(0, 99))
stages = st.lists(roots, min_size=1, max_size=4).map(tuple)
programs = st.lists(stages, min_size=1, max_size=4).map(lambda many: ChainProgram(tuple(many)))


@given(programs)
def test_text_is_read_back_as_the_same_program(one):
    assert parse(one.text) == list(one.stages)


@given(st.integers(-999, 999), stages)
def test_running_agrees_with_fractions_and_stops_where_they_are_not_whole(start, stage):
    value: Fraction | None = Fraction(start)
    for root, found in zip(stage, run(start, stage), strict=True):
        if value is not None:
            if root.op is Op.OP_DIV and root.operand == 0:
                value = None
            else:
                value = {
                    Op.OP_ADD: value + root.operand,
                    Op.OP_SUB: value - root.operand,
                    Op.OP_MUL: value * root.operand,
                    Op.OP_DIV: value / (root.operand or 1),
                }[root.op]
        if value is not None and value.denominator != 1:
            value = None
        assert found == value


def test_a_program_passes_when_it_meets_every_checkpoint():
    task = SyntheticTask((40, 90, 30))
    judged = verify(task, program("+ 5 * 2", "/ 3").text)
    assert (judged.passed, judged.score, judged.kind) == (True, 1.0, "passed")


def test_a_missed_checkpoint_fails_its_own_test_only():
    judged = verify(SyntheticTask((40, 90, 30)), "+ 6 * 2; / 3")
    assert not judged.passed
    assert [(result.got, result.passed) for result in judged.evidence] == [(92, False), (30, True)]
    assert judged.kind == "wrong value in one stage"


def test_a_nearer_miss_scores_higher_and_all_misses_below_a_pass():
    task = SyntheticTask((40, 90))
    far, near, hit = (verify(task, f"+ {n}").score for n in (10, 49, 50))
    assert far < near < 0.5 < hit == 1.0


def test_a_division_that_leaves_a_rest_is_no_value():
    judged = verify(SyntheticTask((40, 13)), "/ 3")
    assert (judged.passed, judged.score, judged.kind) == (False, 0, "inexact division in one stage")


@pytest.mark.parametrize(
    "text",
    ["", "+", "+ ?", "+ 5 5", "+ -5", "5 + 5", "__import__('os')", "+ 5;", "+ 5; ; + 1", "** 2",
     "+ 1e3", "+ ٥", "+ 5 # + 5", "+ 9999999999"],
)  # fmt: skip
def test_what_is_not_a_program_is_refused(text):
    assert parse(text) is None
    assert verify(SyntheticTask((40, 45)), text).kind == "not a program"


def test_a_program_with_another_number_of_stages_fails():
    assert verify(SyntheticTask((40, 90, 30)), "+ 5").kind == "another number of stages"


def test_roots_are_counted_through_the_stages():
    one = program("+ 5 * 2", "/ 3")
    assert [one.stage_of(index) for index in range(3)] == [0, 0, 1]
    assert one.with_roots({2: Root(Op.OP_SUB)}).text == "+ 5 * 2; - ?"
    with pytest.raises(IndexError, match="no root 3"):
        one.stage_of(3)
