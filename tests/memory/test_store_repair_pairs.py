"""Pairs of failing and passing samples: the most alike, of train problems, bounded, made once."""

import pytest
from store_rows import problem, sample, verdict

from memory.store import Store

GOOD = "def f(a, b):\n    if a < b:\n        return a + b\n    return a - b\n"
OTHER = "def f(a, b):\n    return sum([a, b]) if a < b else a + (-1) * b  # the same\n"
BUGS = [
    GOOD.replace("<", "<="),
    GOOD.replace("a + b", "a * b"),
    GOOD.replace("if a < b", "if not a < b"),
]


def judge(store: Store, problem_id: str, words: dict[str, str], start: int = 0) -> None:
    """Store a sample of each code with its verdict."""
    rows = [sample(problem_id, start + index, code=code) for index, code in enumerate(words)]
    store.add_samples(rows)
    store.add_verdicts([verdict(row, words[row.code]) for row in rows])


def found(store: Store) -> list[tuple[str, str]]:
    return [(pair.broken, pair.fixed) for pair in store.repair_pairs()]


def test_a_failing_program_is_paired_with_the_passing_one_most_like_it(store: Store):
    judge(store, "p/train", {OTHER: "passed", BUGS[0]: "failed", GOOD: "passed", BUGS[1]: "error"})
    assert store.derive_repair_pairs() == 2
    assert sorted(found(store)) == sorted([(BUGS[0], GOOD), (BUGS[1], GOOD)])
    assert all(0.7 <= pair.row.similarity < 1 for pair in store.repair_pairs())


@pytest.mark.parametrize("problem_id", ["p/val", "p/test", "p/prompt"])
def test_problems_of_other_splits_are_passed_over(store: Store, problem_id: str):
    judge(store, problem_id, {GOOD: "passed", BUGS[0]: "failed"})
    assert store.derive_repair_pairs() == 0
    assert store.derive_repair_pairs(problem_ids=[problem_id]) == 0


def test_again_adds_only_what_new_samples_give(store: Store):
    judge(store, "p/train", {GOOD: "passed", BUGS[0]: "failed"})
    assert [store.derive_repair_pairs() for _ in range(2)] == [1, 0]
    judge(store, "p/train", {BUGS[1]: "failed"}, start=5)
    assert [store.derive_repair_pairs() for _ in range(2)] == [1, 0]
    assert found(store) == [(BUGS[0], GOOD), (BUGS[1], GOOD)]


def test_a_problem_has_a_bounded_number_of_pairs_the_most_alike_first(store: Store):
    store.add_problems([problem("p/more")], "by hand")
    for problem_id in ("p/train", "p/more"):
        judge(store, problem_id, {GOOD: "passed", **dict.fromkeys(BUGS, "failed")})
    assert store.derive_repair_pairs(per_problem=2, problem_ids=["p/train"]) == 2
    assert store.derive_repair_pairs(per_problem=2) == 2
    assert {pair.row.problem_id for pair in store.repair_pairs()} == {"p/train", "p/more"}
    everything = store.derive_repair_pairs(per_problem=8)
    rest = [pair.row.similarity for pair in store.repair_pairs(after=4)]
    assert everything == len(rest) == 2
    assert max(rest) <= min(pair.row.similarity for pair in store.repair_pairs(limit=4))


def test_what_is_far_apart_or_differs_in_comments_only_or_does_not_parse_is_no_pair(store: Store):
    words = {
        GOOD: "passed",
        "def f(a, b):\n    while True:\n        pass\n": "timeout",
        "# by chance\n" + GOOD: "failed",
        BUGS[0] + "    return (\n": "failed",
        BUGS[1]: "syntax_error",
        "": "failed",
    }
    judge(store, "p/train", words)
    assert store.derive_repair_pairs() == 0


def test_a_program_that_verdicts_differ_on_is_on_neither_side(store: Store):
    judge(store, "p/train", {GOOD: "passed", BUGS[0]: "failed"})
    row = sample(code=GOOD)
    store.add_verdicts([verdict(row, "failed", sandbox_version="2")])
    assert store.derive_repair_pairs() == 0


def test_the_same_program_sampled_twice_is_one(store: Store):
    judge(store, "p/train", {GOOD: "passed", BUGS[0]: "failed"})
    store.add_samples([sample(idx=7, code=BUGS[0]), sample(idx=8, code=GOOD)])
    assert store.derive_repair_pairs() == 1
