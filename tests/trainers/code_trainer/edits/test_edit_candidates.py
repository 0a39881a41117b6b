"""Edits: what is mined from a fix can be made of other programs, in order, each once."""

import ast
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.code_trainer.edits.abstraction import mine
from trainers.code_trainer.edits.library import PatternLibrary
from trainers.code_trainer.edits.priors import Priors
from trainers.code_trainer.edits.program import Program
from trainers.code_trainer.edits.ranking import SLACK, Ranking, fixed_order
from trainers.code_trainer.edits.splice import NoText
from trainers.code_trainer.edits.tree import form
from trainers.tasks.swe.types import SWETask

MOST = 3000
FIXES = {
    "operator": (
        "def f(a):\n    return a + 1\n",
        "def f(a):\n    return a - 1\n",
    ),
    "swap": (
        "def f(a, b):\n    return g(a, b)\n",
        "def f(a, b):\n    return g(b, a)\n",
    ),
    "wrap": (
        "def f(a):\n    return (x for x in a)\n",
        "def f(a):\n    return all((x for x in a))\n",
    ),
    "guard": (
        "def f(a):\n    for x in a:\n        g(x)\n",
        "def f(a):\n    for x in a:\n        if x:\n            g(x)\n",
    ),
    "argument": (
        "def f(a, b):\n    return g(a)\n",
        "def f(a, b):\n    return g(a, b)\n",
    ),
    "index": (
        "def f(a, i):\n    return a[i]\n",
        "def f(a, i):\n    return a[i + 1]\n",
    ),
    "delete": (
        "def f(a):\n    a = sorted(a)\n    a.pop()\n    return a\n",
        "def f(a):\n    a = sorted(a)\n    return a\n",
    ),
    "condition": (
        "def f(a, b):\n    if a:\n        return b\n",
        "def f(a, b):\n    if a and b:\n        return b\n",
    ),
}
LIKE = {
    "operator": (
        "def total(n, step):\n    return n * 2 + step\n",
        "def total(n, step):\n    return n * 2 - step\n",
    ),
    "swap": (
        "def walk(left, right):\n    return join(left, right)\n",
        "def walk(left, right):\n    return join(right, left)\n",
    ),
    "wrap": (
        "def same(rows):\n    return (row == 1 for row in rows)\n",
        "def same(rows):\n    return all((row == 1 for row in rows))\n",
    ),
    "guard": (
        "def show(rows):\n    for row in rows:\n        print(row)\n",
        "def show(rows):\n    for row in rows:\n        if row:\n            print(row)\n",
    ),
    "argument": (
        "def send(text, times):\n    return post(text)\n",
        "def send(text, times):\n    return post(text, times)\n",
    ),
    "index": (
        "def pick(rows, place):\n    return rows[place]\n",
        "def pick(rows, place):\n    return rows[place + 1]\n",
    ),
    "delete": (
        "def last(rows):\n    rows = list(rows)\n    rows.reverse()\n    return rows\n",
        "def last(rows):\n    rows = list(rows)\n    return rows\n",
    ),
    "condition": (
        "def may(user, key):\n    if user:\n        return key\n",
        "def may(user, key):\n    if user and key:\n        return key\n",
    ),
}


def task(name: str, before: str, after: str) -> SWETask:
    return SWETask(name, "r", "", {"a.py": before}, {"a.py": after}, split="train")


LIBRARY = PatternLibrary.build(task(name, *fix) for name, fix in FIXES.items())


def place_of(source: str, wanted: str) -> int | None:
    """Where in the learned order the wanted program comes."""
    ordered = Ranking(LIBRARY, Priors()).ordered(Program(source))
    normal = form(ast.parse(wanted))
    places = (n for n, made in enumerate(islice(ordered, MOST)) if made.form == normal)
    return next(places, None)


@pytest.mark.parametrize("name", FIXES)
def test_what_one_fix_teaches_repairs_another_program(name):
    assert mine(*FIXES[name])
    place = place_of(*LIKE[name])
    assert place is not None, f"{name} is not among the first {MOST}"


def test_a_library_without_the_kind_of_fix_does_not_make_it():
    other = PatternLibrary.build([task("delete", *FIXES["delete"])])
    normal = form(ast.parse(LIKE["operator"][1]))
    ordered = Ranking(other, Priors()).ordered(Program(LIKE["operator"][0]))
    assert all(made.form != normal for made in ordered)


PROGRAMS = st.sampled_from([before for before, _ in LIKE.values()])


@settings(max_examples=20, deadline=None)
@given(PROGRAMS, st.integers(0, 3))
def test_candidates_are_different_programs_that_parse(source, seed):
    for order in (
        Ranking(LIBRARY, Priors()).ordered(Program(source)),
        fixed_order(LIBRARY, Program(source), seed=seed),
    ):
        seen = {form(ast.parse(source))}
        for made in islice(order, 200):
            assert made.form not in seen
            seen.add(made.form)
            try:
                text = made.text
            except NoText:
                continue
            assert form(ast.parse(text)) == made.form


@settings(max_examples=20, deadline=None)
@given(PROGRAMS)
def test_the_likeliest_come_first_though_slots_are_filled_late(source):
    scores = [
        made.score for made in islice(Ranking(LIBRARY, Priors()).ordered(Program(source)), 300)
    ]
    # Among cells whose slots were not looked at yet a bound is a guess from above.
    late = [after - before for before, after in pairwise(scores) if after > before]
    assert len(late) <= 0.1 * len(scores)
    assert max(late, default=0.0) <= 10 * SLACK


def test_both_orders_give_the_same_candidates():
    source = LIKE["operator"][0]
    learned = {made.form for made in Ranking(LIBRARY, Priors()).ordered(Program(source))}
    fixed = {made.form for made in fixed_order(LIBRARY, Program(source))}
    assert learned == fixed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            'def f(a):\n    raise E(f"no {a.b.c} here")\n',
            'def f(a):\n    raise V(f"no {a.b.c} here")\n',
        ),
        ('def f(a):\n    return f"{a:>{a}}"\n', "def f(a):\n    return a\n"),
        ('def f(a):\n    return g(f"{a:.2f}")\n', "def f(a):\n    return g(a)\n"),
        (
            "def f(a, b, c=1, **d):\n    return a\n",
            "def f(a, b, c=1, *, e=1, **d):\n    return a\n",
        ),
    ],
)
def test_every_pattern_can_be_shown(before, after):
    patterns = [found.pattern for found in mine(before, after)]
    assert all(str(pattern) for pattern in patterns)


FILE = '''"""A module."""
import os; import sys
if sys.version_info > (3,):
    def guarded(rows, place):
        return rows[place]
class Outer:
    size = 3
    @property
    def last(self): return self.rows[0] + 1
    class Inner:
        async def walk(self, left, right):
            """Text that
ends at the margin."""
            def nested(a):
                return left(a)
            return join(left, nested)
def tail(n, step): return n * 2 + step
x = tail(1, 2)
'''
NAMES = ("guarded", "Outer.last", "Outer.Inner.walk", "tail")


@pytest.mark.parametrize("name", NAMES)
def test_a_function_of_a_file_is_edited_as_the_whole_file_would_be(name):
    whole, confined = Program(FILE), Program(FILE, functions=[name])
    assert [site.path for site in confined.sites] == [site.path for site in whole.sites_in(name)]
    made = list(islice(Ranking(LIBRARY, Priors()).ordered(confined), 120))
    assert len(made) > 10
    forms = [one.form for one in made]
    assert len(set(forms)) == len(forms)
    assert form(whole.tree) not in forms
    for one in made:
        try:
            assert form(ast.parse(one.text)) == one.form
        except NoText:
            continue
        tail = FILE[FILE.rindex("x = tail") :]
        assert one.text.startswith('"""A module."""\nimport os; import sys\n')
        assert one.text.endswith(tail)
