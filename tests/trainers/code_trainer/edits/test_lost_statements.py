"""Functions that lose a statement, and the patterns that put one back."""

import ast
from itertools import islice
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from trainers.code_trainer.edits.lost_statements import lost_library, without_a_statement
from trainers.code_trainer.edits.priors import Priors
from trainers.code_trainer.edits.program import Program
from trainers.code_trainer.edits.ranking import Ranking
from trainers.code_trainer.edits.tree import form

COUNTS = (
    "def count(rows):\n    n = 0\n    for row in rows:\n        show(row)\n        n += 1\n"
    "    return n\n"
)
OTHER = (
    "def size(items, wanted):\n    total = 0\n    for item in items:\n        if item == wanted:\n"
    "            print(item)\n            total += 1\n    return total\n"
)


@given(st.sampled_from([COUNTS, OTHER]), st.integers(0, 20))
def test_one_statement_of_a_function_is_missing_and_the_rest_is_a_program(source, seed):
    whole = ast.parse(source)
    found = list(without_a_statement(whole, Random(seed)))
    assert found
    for _, left in found:
        text = ast.unparse(left)
        ast.parse(text)
        assert form(left) != form(whole)
        assert len(text.splitlines()) <= len(source.splitlines())
    assert form(whole) == form(ast.parse(source))


def test_what_one_function_lost_is_put_back_in_another():
    library = lost_library([COUNTS], 10, Random(0))
    assert all(name.startswith("lost/solution/") for name in library.tasks)
    broken = OTHER.replace("            total += 1\n", "")
    made = islice(Ranking(library, Priors()).ordered(Program(broken)), 3000)
    assert form(ast.parse(OTHER)) in {one.form for one in made}


def test_a_name_that_is_nowhere_set_is_set():
    library = lost_library([COUNTS], 10, Random(0))
    broken = OTHER.replace("    total = 0\n", "")
    made = islice(Ranking(library, Priors()).ordered(Program(broken)), 3000)
    assert form(ast.parse(OTHER)) in {one.form for one in made}


def test_functions_that_do_not_parse_are_left_out_and_each_loses_so_many():
    library = lost_library(["def f(:", COUNTS, OTHER], 1, Random(0), name="library")
    assert sorted(library.tasks) == ["lost/library/0", "lost/library/1"]
