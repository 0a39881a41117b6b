"""Agreement: what programs gave is stored once, and the scores on it keep their promises."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import adder, adder_programs, context_in

from memory.records import ProblemRow
from sandbox import Call, Program, Sandbox, Tests, tests_hash
from sandbox.digest import digest
from trainers.critic.agreement import (
    LIMITS,
    ObservationWork,
    clusters,
    exact_cluster,
    observe,
    soft_agreement,
)
from trainers.critic.inputs import inputs_hash, inputs_of
from trainers.critic.visible import run_visible
from trainers.labelling import verdict_row
from trainers.samples import program_hash
from trainers.stage import Stopped
from trainers.visible import visible_tests

OUTCOME = st.sampled_from(["a", "b", "c", "!ValueError", "!timeout"])


@st.composite
def observed(draw, least=1):
    """Outcomes (samples, inputs) and how many samples each row stands for."""
    width = draw(st.integers(1, 4))
    rows = draw(st.lists(st.tuples(*[OUTCOME] * width), min_size=least, max_size=8))
    counts = draw(st.lists(st.integers(1, 5), min_size=len(rows), max_size=len(rows)))
    return rows, counts


SCORES = pytest.mark.parametrize("score", [exact_cluster, soft_agreement])


def test_scores_by_hand():
    rows = [("a", "b"), ("a", "b"), ("a", "!E"), ("!E", "!E"), ("c", "b")]
    counts = [1, 2, 1, 4, 2]
    assert exact_cluster(rows, counts).tolist() == [3, 3, 1, 0, 2]
    assert np.allclose(soft_agreement(rows, counts), [0.45, 0.45, 0.2, 0, 0.35])
    assert clusters(rows).tolist() == [0, 0, 1, 2, 3]


@SCORES
@given(observed(), st.randoms())
def test_permuting_samples_permutes_scores(score, given_outcomes, random):
    rows, counts = given_outcomes
    order = random.sample(range(len(rows)), len(rows))
    permuted = score([rows[i] for i in order], [counts[i] for i in order])
    assert np.allclose(permuted, score(rows, counts)[order])


@SCORES
@given(observed(), st.randoms())
def test_permuting_inputs_changes_nothing(score, given_outcomes, random):
    rows, counts = given_outcomes
    order = random.sample(range(len(rows[0])), len(rows[0]))
    permuted = [[row[i] for i in order] for row in rows]
    assert np.allclose(score(permuted, counts), score(rows, counts))


@SCORES
@given(observed())
def test_a_count_stands_for_as_many_rows(score, given_outcomes):
    rows, counts = given_outcomes
    spread = [row for row, count in zip(rows, counts, strict=True) for _ in range(count)]
    first = np.cumsum([0, *counts[:-1]])
    assert np.allclose(score(spread, [1] * len(spread))[first], score(rows, counts))


@given(observed(), st.data())
def test_duplicates_raise_their_own_cluster_and_no_other(given_outcomes, data):
    rows, counts = given_outcomes
    place = data.draw(st.integers(0, len(rows) - 1))
    before = exact_cluster(rows, counts)
    after = exact_cluster([*rows, rows[place]], [*counts, 1])[:-1]
    own = clusters(rows) == clusters(rows)[place]
    lives = not all(one.startswith("!") for one in rows[place])
    assert (after - before).tolist() == (own * float(lives)).tolist()


@given(observed())
def test_scores_are_bounded_and_equal_within_a_cluster(given_outcomes):
    rows, counts = given_outcomes
    exact, soft, number = exact_cluster(rows, counts), soft_agreement(rows, counts), clusters(rows)
    assert (exact <= sum(counts)).all()
    assert ((soft >= 0) & (soft <= 1 + 1e-12)).all()
    for one in set(number.tolist()):
        assert len(set(exact[number == one])) == len(set(soft[number == one])) == 1
    failed = np.array([all(one.startswith("!") for one in row) for row in rows])
    assert ((soft == 0) == failed).all()
    assert ((exact == 0) == failed).all()


@given(observed())
def test_clusters_are_numbered_as_they_come(given_outcomes):
    rows, _ = given_outcomes
    number = clusters(rows).tolist()
    assert list(dict.fromkeys(number)) == list(range(len(set(rows))))
    for one, other in zip(rows, number, strict=True):
        assert other == number[rows.index(one)]


@SCORES
def test_no_samples_and_no_inputs_score_nothing(score):
    assert score([], []).tolist() == []
    assert score([(), ()], [1, 2]).tolist() == [0, 0]


@SCORES
def test_outcomes_on_other_inputs_and_missing_counts_are_refused(score):
    with pytest.raises(ValueError, match="different length"):
        score([("a",), ("a", "b")], [1, 1])
    with pytest.raises(ValueError, match="as many counts"):
        score([("a",)], [1, 1])


class CountingSandbox(Sandbox):
    """The real sandbox, which also remembers what it was given."""

    def __init__(self) -> None:
        super().__init__(workers=1)
        self.ran: list[str] = []

    def run_many(self, programs):
        def counted():
            for program in programs:
                self.ran.append(program.key)
                yield program

        yield from super().run_many(counted())


@pytest.fixture(scope="module")
def shared_sandbox():
    with CountingSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox):
    shared_sandbox.ran.clear()
    return shared_sandbox


def hashed(codes) -> dict[str, str]:
    return {program_hash(code): code for code in codes}


def start(folder, problems, **more):
    context = context_in(folder, **more)
    context.store.add_problems(problems, "by hand")
    return context


def work_of(problem: ProblemRow, codes, seed=0) -> ObservationWork:
    calls = inputs_of(problem, "visible1", [], seed=seed)
    return ObservationWork(problem.id, calls, problem.entry_point, hashed(codes))


def stored(context, sandbox, work):
    digest_of = inputs_hash(work.inputs)
    pairs = [(program, digest_of) for program in work.programs]
    found = context.store.behaviours(pairs, sandbox.version, sandbox.level)
    return {program: outcomes for (program, _), outcomes in found.items()}


def test_what_programs_gave_is_stored_once_and_clusters_them(tmp_path, sandbox):
    work = work_of(adder(3), adder_programs(3))
    context = start(tmp_path, [adder(3)])
    report = observe(context, sandbox, [work, work])
    assert (report.run, report.known, report.not_judged) == (5, 0, 0)
    assert (context.progress.done, context.progress.total) == (5, 5)
    rows = list(stored(context, sandbox, work).items())
    by_code = {work.programs[program]: outcomes for program, outcomes in rows}
    right, wrong, undefined, broken, other = (by_code[code] for code in adder_programs(3))
    assert right == other == tuple(digest(call.args[0] + 3) for call in work.inputs)
    assert wrong != right
    assert set(undefined) == {"!NameError"}
    assert set(broken) == {"!syntax_error"}
    scores = exact_cluster([right, wrong, undefined, broken, other], [1, 1, 5, 5, 1])
    assert scores.tolist() == [2, 1, 0, 0, 2]
    assert context.store.query("SELECT * FROM verdicts") == []


def test_nothing_is_run_twice_and_other_inputs_are_others(tmp_path, sandbox):
    context, first = start(tmp_path, [adder(3)]), work_of(adder(3), adder_programs(3)[:2])
    observe(context, sandbox, [first])
    sandbox.ran.clear()
    more = work_of(adder(3), adder_programs(3))
    report = observe(context, sandbox, [more, work_of(adder(3), adder_programs(3)[:1], seed=1)])
    assert (report.run, report.known) == (4, 2)
    assert len(sandbox.ran) == 4
    assert (context.progress.done, context.progress.total) == (6, 6)


def test_an_endless_program_keeps_what_it_gave_before(tmp_path, sandbox):
    code = "def add(x):\n    while x != 1:\n        pass\n    return x\n"
    context, work = start(tmp_path, [adder(1)]), work_of(adder(1), [code])
    observe(context, sandbox, [work])
    (outcomes,) = stored(context, sandbox, work).values()
    assert outcomes[0] == digest(1)
    assert set(outcomes[1:]) == {"!timeout"}


def test_a_cut_keeps_what_was_finished_and_the_next_call_does_the_rest(
    tmp_path, sandbox, monkeypatch
):
    monkeypatch.setattr("trainers.critic.running.BATCH", 4)
    codes = [f"def add(x):\n    return x + {number}\n" for number in range(200)]
    context, work = start(tmp_path, [adder(1)]), work_of(adder(1), codes)
    asked = Counter()

    def stop() -> bool:
        asked["times"] += 1
        return asked["times"] > 3

    context.stop_requested = stop
    with pytest.raises(Stopped):
        observe(context, sandbox, [work])
    kept = stored(context, sandbox, work)
    assert 0 < len(kept) < 200
    context.stop_requested = lambda: False
    sandbox.ran.clear()
    report = observe(context, sandbox, [work])
    assert (report.run, report.known) == (200 - len(kept), len(kept))
    assert not {key.split(":")[0] for key in sandbox.ran} & set(kept)
    assert len(stored(context, sandbox, work)) == 200


@pytest.mark.parametrize("code", ["def add(x):\n    return x + 1", "def add(", "while True: pass"])
def test_an_observed_run_is_never_stored_as_a_verdict(code):
    tests = Tests("data", "add", calls=(Call((1,), 2),))
    with Sandbox(workers=1) as box:
        seen = box.run(Program("program:tests", code, tests, LIMITS, observe=True))
    with pytest.raises(ValueError, match="no verdict"):
        verdict_row(seen, 1)


def test_inputs_that_do_not_name_their_function_are_refused():
    with pytest.raises(ValueError, match="names no function"):
        ObservationWork("p", [Call((1,), None)], "f", {})


def test_one_program_under_two_functions_has_two_behaviours(tmp_path, sandbox):
    code = "def f(x):\n    return 1\ndef g(x):\n    return 2\n"
    context = start(tmp_path, [adder(1)])
    both = [
        ObservationWork("p", [Call((1,), None, function=name)], name, hashed([code]))
        for name in "fg"
    ]
    observe(context, sandbox, both)
    found = [next(iter(stored(context, sandbox, one).values())) for one in both]
    assert found == [(digest(1),), (digest(2),)]


def test_the_visible_tests_are_those_of_the_prompt():
    problem = adder(2)
    tests = visible_tests(problem, "visible1")
    assert [(call.args, call.expected) for call in tests.calls] == [((1,), 3)]
    assert tests_hash(tests) != problem.tests_hash
    assert visible_tests(problem, "seed") is None
    assert visible_tests(adder_without_tests(), "visible1") is None


def adder_without_tests(number: int = 2) -> ProblemRow:
    return replace(adder(number), visible_tests=())


def test_doctests_of_a_statement_are_visible_tests():
    statement = "Adds.\n>>> add(1)\n3\n>>> add(4)\n6\n>>> print(add(1))\n3"
    problem = replace(adder_without_tests(), statement=statement)
    calls = visible_tests(problem, "visible1").calls
    assert [(call.args, call.expected) for call in calls] == [((1,), 3), ((4,), 6)]
    broken = replace(problem, statement="    >>> add(1)\n  3\n>>>add")
    assert visible_tests(broken, "visible1") is None


def test_visible_verdicts_are_ordinary_rows_and_nothing_is_judged_twice(tmp_path, sandbox):
    problems = [adder(2), adder(3), adder_without_tests(4)]
    context = start(tmp_path, problems)
    programs = {row.id: hashed(adder_programs(2)) for row in problems}
    hashes, report = run_visible(context, sandbox, problems, "visible1", programs)
    assert set(hashes) == {"adder/2", "adder/3"}
    assert (report.run, report.known) == (10, 0)
    pairs = [(program, hashes["adder/2"]) for program in programs["adder/2"]]
    words = context.store.verdict_words(pairs, sandbox.version, sandbox.level)
    by_code = {programs["adder/2"][program]: word for (program, _), word in words.items()}
    expected = ["passed", "failed", "error", "syntax_error", "passed"]
    assert [by_code[code] for code in adder_programs(2)] == expected
    hidden = [(program, problems[0].tests_hash) for program in programs["adder/2"]]
    assert context.store.verdict_words(hidden, sandbox.version, sandbox.level) == {}
    again = run_visible(context, sandbox, problems, "visible1", programs)
    assert again == (hashes, type(report)(run=0, known=10, not_judged=0))
    assert len(sandbox.ran) == 10


def test_under_seed_nothing_is_run_at_choice_time(tmp_path, sandbox):
    context = start(tmp_path, [adder(2)])
    found = run_visible(context, sandbox, [adder(2)], "seed", {"adder/2": hashed(["x"])})
    assert found[0] == {}
    assert sandbox.ran == []


def test_set_up_code_of_the_data_set_stands_behind_a_visible_test():
    hidden = {"mode": "split", "entry_point": "f", "setup_code": "K = [1]", "test_code": "pass"}
    shown = ("assert f(K) == 1",)
    problem = replace(adder(1), entry_point="f", visible_tests=shown, tests=hidden)
    tests = visible_tests(problem, "visible1")
    with Sandbox(workers=1) as box:
        assert box.run(Program("k", "def f(x):\n    return x[0]", tests)).passed
        assert not box.run(Program("k", "def f(x):\n    return 0", tests)).passed
