"""Near-duplicates: the same in other words or other names is found, the merely alike is not."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.records import ProblemRow
from trainers.config import TasksConfig
from trainers.tasks import builtin, load_problems
from trainers.tasks.duplicates import across_splits, code_shingles, near_duplicates

CODE = """
def count_pairs(values, goal):
    # every pair once
    seen = {}
    found = 0
    for value in values:
        found += seen.get(goal - value, 0)
        seen[value] = seen.get(value, 0) + 1
    return found
"""
RENAMED = '''
def f(xs, t):
    """Say how many."""
    d = {}
    n = 0
    for x in xs:
        n += d.get(t - x, 0)

        d[x] = d.get(x, 0) + 1
    return n
'''


def row(name, statement, code="def f():\n    return 1\n", split="train", **more):
    return ProblemRow(
        id=name,
        source=name.split("/")[0],
        statement=statement,
        entry_point="f",
        split=split,
        tests={},
        tests_hash="",
        reference=code,
        **more,
    )


def test_the_same_statement_in_other_words_is_found():
    pairs = near_duplicates(
        [
            row("mbpp/1", "Write a function to find the shared elements from the given two lists."),
            row("mbpp/2", "Write a python function which finds shared elements of two lists."),
            row("mbpp/3", "Write a function to multiply two lists."),
        ]
    )
    assert [(p.first, p.second, p.kind) for p in pairs] == [("mbpp/1", "mbpp/2", "statement")]
    assert pairs[0].exact
    assert pairs[0].evidence


def test_the_same_code_with_other_names_is_found():
    pairs = near_duplicates([row("a/1", "Pairs.", CODE), row("b/1", "Tickets.", RENAMED)])
    assert [(p.kind, p.exact, p.similarity) for p in pairs] == [("code", True, 1.0)]


def test_a_stricter_edition_of_a_problem_is_no_duplicate():
    plus = row("mbppplus/1", "Count pairs.", CODE, metadata={"base": "mbpp/1"})
    assert near_duplicates([row("mbpp/1", "Count pairs.", CODE), plus]) == []


def test_short_programs_are_alike_by_necessity():
    code = "def f(a, b):\n    return a + b\n"
    assert near_duplicates([row("a/1", "Sum.", code), row("b/1", "Concatenate.", code)]) == []


def test_only_pairs_that_cross_from_train_to_held_out_count():
    train = row("mbpp/700", "Count the vowels of a text.")
    test = replace(train, id="mbpp/20", split="test")
    validation = replace(train, id="mbpp/520", split="validation")
    found = {frozenset((p.first, p.second)) for p in across_splits([train, test, validation])}
    assert found == {frozenset({"mbpp/700", "mbpp/20"}), frozenset({"mbpp/700", "mbpp/520"})}
    assert across_splits([test, validation]) == []


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_can_be_compared(statement, code):
    rows = [row("a/1", statement, CODE), row("b/1", statement, CODE + f"\n# {code!r}\n")]
    assert all(0 < pair.similarity <= 1 for pair in near_duplicates(rows))
    assert code_shingles(rows[0]) == code_shingles(rows[1])


@pytest.fixture(scope="module")
def public(real_data):
    env = {"KENT_DATA": str(real_data)}
    return load_problems(TasksConfig(train="mbpp", hub=False), env, also=["humaneval"])


def test_no_built_in_problem_rewords_a_public_one(public):
    pairs = near_duplicates([*public.rows, *builtin.rows()])
    mixed = [
        p for p in pairs if sum(name.startswith("basics/") for name in (p.first, p.second)) == 1
    ]
    assert mixed == []


def test_no_built_in_problem_rewords_another():
    assert near_duplicates(builtin.rows()) == []


def test_mbpps_own_duplicates_are_listed(public):
    found = {frozenset((p.first, p.second)): p for p in public.duplicates}
    # Both ask to interchange the first and the last element of a list; one trains, one validates.
    assert found[frozenset({"mbpp/591", "mbpp/625"})].similarity > 0.8
    assert sum("near-duplicates across splits" in note for note in public.notes) == len(
        public.duplicates
    )
