"""Edit scripts: shortest, in any order, and what they do to the text."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.ctm.data import edits as scripts
from trainers.ctm.data.edits import MAX_EDITS, Edit, Op
from trainers.ctm.data.program import Program, repair_script, repaired

words = st.lists(st.sampled_from(["a", "b", "c", "<eol>", "<ind1>"]), max_size=14)


def distance(one, two):
    row = list(range(len(two) + 1))
    for i, a in enumerate(one, 1):
        row, before = [i], row
        for j, b in enumerate(two, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b)))
    return row[-1]


@given(words, words, st.integers(0, 2**31))
def test_a_script_is_the_shortest_and_may_be_made_in_any_free_order(state, target, seed):
    script = scripts.script(state, target)
    if script is None:
        assert distance(state, target) > MAX_EDITS
        return
    assert len(script) == distance(state, target)
    rng, left, now = Random(seed), script, list(state)
    end = [*now, "END"]  # an insertion at the end names what is there
    while left:
        made = rng.choice(scripts.next_edits(left))
        end = scripts.apply(end, left[made])
        left = scripts.remaining(left, made)
    assert end[:-1] == target


def test_of_several_insertions_at_one_place_only_the_first_is_next():
    script = scripts.script(list("ab"), list("axyb"))
    assert script == [Edit(1, Op.INSERT_BEFORE, "x"), Edit(1, Op.INSERT_BEFORE, "y")]
    assert scripts.next_edits(script) == [0]
    assert scripts.remaining(script, 0) == [Edit(2, Op.INSERT_BEFORE, "y")]


def test_a_lost_line_comes_back_as_a_whole_line():
    fixed = Program.of("def f(a):\n    b = a\n    c = a\n    return b\n")
    buggy = Program.of("def f(a):\n    b = a\n    return b\n")
    script = repair_script(buggy, fixed)
    assert [edit.new for edit in script] == ["<ind1>", "c", "=", "a", "<eol>"]
    assert repaired(buggy, script).render() == fixed.render()


def test_a_line_too_many_goes_as_a_whole_line():
    buggy = Program.of("def f(a):\n    b = a\n    c = a\n    return b\n")
    fixed = Program.of("def f(a):\n    b = a\n    return b\n")
    script = repair_script(buggy, fixed)
    assert {edit.op for edit in script} == {Op.DELETE}
    assert repaired(buggy, script).render() == fixed.render()


KEPT = '''def f(a,   b):  # first
    """Text, kept."""

    # above
    x = g(a,
          b)   # behind
    return   x
'''


@pytest.mark.parametrize(
    ("fixed", "after"),
    [
        (KEPT.replace("b)   #", "a)   #"), KEPT.replace("b)   #", "a)   #")),
        (KEPT.replace("return   x", "return   not x"), None),
        (KEPT.replace("g(a,", "g(a, a,"), None),
        (KEPT.replace("    return   x", "        return   x"), None),
        (KEPT.replace("    return", "    y = x\n    return"), None),
    ],
    ids=["replace", "insert", "argument", "indent", "line"],
)
def test_an_edit_changes_its_lexeme_and_leaves_the_layout(fixed, after):
    buggy, target = Program.of(KEPT), Program.of(fixed)
    text = repaired(buggy, repair_script(buggy, target)).render()
    assert Program.of(text).values == target.values
    for kept in ('"""Text, kept."""', "# first", "# above", "# behind", "a,   b"):
        assert kept in text
    assert after is None or text == after


def test_no_edit_leaves_the_text_byte_for_byte():
    assert repaired(Program.of(KEPT), []).render() == KEPT


def test_a_closing_quote_is_one_insertion():
    fixed = Program.of('def f(a):\n    return g("some words here", a)\n')
    buggy = Program.of('def f(a):\n    return g("some words here, a)\n')
    script = repair_script(buggy, fixed)
    assert [(edit.op, edit.new) for edit in script] == [(Op.INSERT_BEFORE, '"')]
    assert repaired(buggy, script).render() == fixed.render()
