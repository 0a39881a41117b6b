"""Bugs injected into Python's library: each is told by tests that the original passes."""

import ast
import json
from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import Program as Job
from sandbox import Sandbox, tests_from_json
from trainers.errors import TaskError
from trainers.tasks.swe.injected import inject
from trainers.tasks.swe.injected.catalogue import TARGETS, Target
from trainers.tasks.swe.injected.mutations import Program
from trainers.tasks.swe.injected.slicing import cut
from trainers.tasks.swe.injected.values import integers, one_of
from trainers.tasks.swe.notes import Notes
from trainers.tasks.swe.patching import apply_patch

SOME = tuple(
    target
    for target in TARGETS
    if target.key in ("bisect.bisect_left", "textwrap.fill", "fractions.nearest", "shlex.quote")
)
MODULE = '''\
"""A module."""
import math
import os.path as path, sys
from .sister import helper
try:
    from _fast import second, table
except ImportError:
    pass

# What the table is for.
table = {}
table["a"] = 1
for letter in "xyz":
    table[letter] = ord(letter)
unused = sys.argv


def second(x):
    return first(x) + table["a"]


@helper
def first(x):
    # a comment inside
    return math.floor(x)


try:
    from _fast import second
except ImportError:
    pass
'''


@pytest.fixture(scope="module")
def tasks():
    return inject(count=10, seed=3, targets=SOME)


def test_the_tests_tell_the_bug_and_pass_on_the_original(tasks):
    assert len(tasks) == 10

    def jobs():
        for task in tasks:
            for side in ("before", "after"):
                [code] = getattr(task, f"code_{side}").values()
                for kind in ("visible", "hidden"):
                    tests = tests_from_json(json.loads(json.dumps(getattr(task.judge, kind))))
                    yield Job(f"{side} {kind} {task.task_id}", code, tests)

    with Sandbox() as sandbox:
        for verdict in sandbox.run_many(jobs()):
            assert verdict.passed == verdict.key.startswith("after"), verdict


def test_visible_and_hidden_inputs_have_nothing_in_common(tasks):
    for task in tasks:
        visible, hidden = (
            {json.dumps(call["args"]) for call in getattr(task.judge, kind)["calls"]}
            for kind in ("visible", "hidden")
        )
        assert visible
        assert hidden
        assert not visible & hidden


def test_the_issue_tells_a_visible_call_and_what_it_should_give(tasks):
    for task in tasks:
        first = task.judge.visible["calls"][0]
        assert f"{task.metadata['module']}.{task.metadata['function']}(" in task.issue_text
        assert "should return" in task.issue_text
        if all(isinstance(argument, int | str) for argument in first["args"]):
            assert ", ".join(map(repr, first["args"])) in task.issue_text


def test_a_task_is_one_small_change_of_one_program(tasks):
    ids = [task.task_id for task in tasks]
    assert len(set(ids)) == len(ids)
    assert len(Counter(task.metadata["function"] for task in tasks)) == len(SOME)
    for task in tasks:
        assert apply_patch(task.patch, task.code_before) == task.code_after
        changed = [one for one in task.patch.splitlines() if one[:1] in "+-"]
        assert 3 <= len(changed) <= 12
        assert list(task.code_before) == [task.metadata["module"] + ".py"]


def test_the_same_seed_gives_the_same_tasks(tasks):
    assert inject(count=10, seed=3, targets=SOME) == tasks


def test_a_functions_tasks_share_a_split(tasks):
    splits = {(task.metadata["function"], task.split) for task in tasks}
    assert len(splits) == len({function for function, _ in splits})
    assert {t.split for t in inject(count=2, targets=SOME[:1], split="test")} == {"test"}


def test_what_this_python_lacks_is_told_and_the_others_go_on():
    notes = Notes()
    strange = (
        Target("no_such_module", "f", (integers(0, 1),)),
        Target("bisect", "no_such_function", (integers(0, 1),)),
        Target("textwrap", "fill", (one_of(None),)),
        Target("bisect", "bisect_right", (one_of([1, 2], [2, 2], [5]), integers(0, 6))),
    )
    made = inject(count=2, targets=strange, notes=notes)
    assert {task.metadata["function"] for task in made} == {"bisect_right"}
    told = notes.lines()
    assert any("no_such_module.f is not in this Python" in line for line in told)
    assert any("does not define no_such_function" in line for line in told)
    assert any("textwrap.fill cannot be used: only 0 of its inputs" in line for line in told)


def test_fewer_bugs_than_wanted_are_told():
    notes = Notes()
    target = Target("bisect", "bisect_right", (one_of([1, 2], [2, 2], [5]), integers(0, 6)))
    made = inject(count=999, targets=(target,), notes=notes)
    assert 0 < len(made) < 999
    assert any(f"give {len(made)} bugs that tests can tell, not 999" in n for n in notes.lines())


def test_a_cut_has_what_it_needs_and_nothing_else():
    code = cut(MODULE, ["second"], "pack.age")
    compile(code, "cut", "exec")
    for kept in (
        "import math", "from pack.age.sister import helper", 'table["a"] = 1', "for letter in",
        "# What the table is for.\ntable = {}", "@helper\ndef first(x):\n    # a comment inside",
    ):  # fmt: skip
        assert kept in code
    for dropped in ("unused", "os.path", "A module"):
        assert dropped not in code
    assert code.index("def second") < code.index("def first")
    # What a ``def`` binds is not taken from an import that would put a C version over it.
    assert "_fast import second\n" not in code


def test_a_cut_of_what_is_not_there_is_refused():
    with pytest.raises(TaskError, match="does not define nothing"):
        cut(MODULE, ["nothing"])
    with pytest.raises(TaskError, match="cannot be parsed"):
        cut("def", ["f"])


PROGRAM = '''\
def work(items, limit=3, *, key=None):
    """Do it."""
    if not items:
        return []
    total, done = 0, []
    for index, item in enumerate(items):
        if item is None or index >= limit and key:
            continue
        total += item * 2
        done.append(item[1:-1] if isinstance(item, str) else min(item, total))
    try:
        while total > 0:
            total -= 1
    except ValueError:
        done.sort(key=key)
    return done[: len(done) - 1] or [True, 1.5, 2.5]


def front(x):
    return work([x]) + [x - 1]
'''


def test_every_kind_of_bug_is_found_and_every_mutant_is_one_edit():
    program = Program(PROGRAM, frozenset({"front"}))
    mutations = list(program.mutations(Random(1)))
    assert {m.kind for m in mutations} >= {
        "wrong comparison", "wrong operator", "wrong logic", "negated condition", "off by one",
        "wrong constant", "wrong variable", "wrong function", "wrong arguments", "wrong slice",
        "dropped guard", "dropped statement", "swapped branches", "wrong exception",
    }  # fmt: skip
    for mutation in mutations:
        assert mutation.scope == "work"
        assert mutation.code.endswith(PROGRAM[PROGRAM.index("def front") :])
        assert ast.dump(ast.parse(mutation.code)) != ast.dump(ast.parse(PROGRAM))


def test_a_loop_is_left_to_end():
    for mutation in Program(PROGRAM).mutations(Random(1)):
        assert "while total > 0:" in mutation.code
        assert "total -= 1" in mutation.code


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 999), lines=st.frozensets(st.integers(1, 20), min_size=1))
def test_mutants_are_drawn_by_the_seed_and_lie_on_the_lines_that_are_named(seed, lines):
    def drawn():
        return list(Program(PROGRAM).mutations(Random(seed), lines))

    assert drawn() == drawn()
    assert {mutation.line for mutation in drawn()} <= lines


def test_a_text_with_letters_beyond_ascii_is_edited_at_the_right_place():
    code = 'def f(é, x):\n    return "ü" + é if é < x else x\n'
    mutants = {mutation.code for mutation in Program(code).mutations(Random(0))}
    assert code.replace("é < x", "é <= x") in mutants
    assert code.replace('"ü" + é if é < x else x', 'x if é < x else "ü" + é') in mutants
