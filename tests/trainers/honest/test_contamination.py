"""Test items in what was trained on are found, by pair, with the evidence; others are not."""

import pytest
from scripted import adder

from memory.records import ProblemRow
from memory.store import Store
from memory.swe_tasks import SweTaskRow
from trainers.honest.contamination import look

CODE = """
def merge(first, second):
    out, i, j = [], 0, 0
    while i < len(first) and j < len(second):
        if first[i] <= second[j]:
            out.append(first[i])
            i += 1
        else:
            out.append(second[j])
            j += 1
    return out + first[i:] + second[j:]
"""
SAID = "Merge two sorted lists of numbers into one sorted list that keeps duplicates"
BEFORE = "def area(width, height):\n    total = width + height\n    return total\n"
AFTER = (
    "def area(width, height):\n    if width < 0 or height < 0:\n"
    '        raise ValueError("sides are not negative")\n    return width * height\n'
)


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "kent.db") as store:
        yield store


def problem(name: str, split: str, statement: str, reference: str) -> ProblemRow:
    plain = adder(1, split)
    return ProblemRow(
        name, "own", statement, "f", split, plain.tests, plain.tests_hash, reference=reference
    )


def task(name, split, *, commit, date, before=BEFORE, after=AFTER, issue="It is wrong."):
    body = {
        "code_before": {"a.py": before}, "code_after": {"a.py": after}, "patch": "",
        "judge": None, "metadata": {},
    }  # fmt: skip
    return SweTaskRow(name, "swe", "o/r", issue, split, "by hand", body, commit, date)


def test_the_same_code_under_other_names_is_found(store):
    renamed = CODE.replace("first", "a").replace("second", "b").replace("merge", "join")
    store.add_problems(
        [
            problem("shown", "train", "Something else entirely about words", renamed),
            problem("held", "test", SAID, CODE),
            problem("other", "test", "Count the vowels of a text", "def f(x):\n    return 1\n"),
        ],
        "by hand",
    )
    found = look(store)
    (pair,) = found.pairs
    assert (pair.trained, pair.tested, pair.kind, pair.exact) == ("shown", "held", "code", True)
    assert pair.evidence
    assert found.flagged == ["held"]


def test_the_same_statement_in_nearly_the_same_words_is_found(store):
    store.add_problems(
        [
            problem("shown", "train", SAID.replace("numbers", "integers"), "x = 1"),
            problem("held", "test", SAID, "y = 2"),
            problem("validation", "validation", SAID, "y = 2"),
        ],
        "by hand",
    )
    (pair,) = look(store).pairs
    assert (pair.kind, pair.tested, pair.exact) == ("statement", "held", False)
    assert 0.6 <= pair.similarity < 1


def test_tasks_that_share_a_commit_or_the_fix_are_found(store):
    store.add_swe_tasks(
        [
            task(
                "later", "train", commit="c2", date=200.0, before=AFTER, after=AFTER + "\n\nx = 1\n"
            ),
            task("same", "train", commit="c1", date=100.0, before="a = 1\n", after="a = 2\n"),
            task("apart", "train", commit="c0", date=50.0, before="b = 1\n", after="b = 2\n"),
            task("held", "test", commit="c1", date=100.0),
        ]
    )
    found = look(store)
    kinds = {(pair.trained, pair.kind) for pair in found.pairs}
    assert kinds == {("later", "files_after"), ("same", "commit")}
    fix = next(pair for pair in found.pairs if pair.kind == "files_after")
    assert fix.exact
    assert 'raise ValueError("sides are not negative")' in fix.evidence
    assert found.later == {"held": 1}
    document = found.to_json()
    assert document["flagged"] == ["held"]
    assert document["by_kind"] == {"files_after": 1, "commit": 1}
    assert document["tasks_with_later_training_tasks"] == 1


def test_an_issue_that_was_written_twice_is_found(store):
    issue = " ".join(f"word{number} means{number} nothing{number}" for number in range(12))
    store.add_swe_tasks(
        [
            task("shown", "train", commit="c1", date=1.0, before="a = 1\n", issue=issue),
            task("held", "test", commit="c2", date=2.0, issue=issue + " indeed"),
        ]
    )
    assert ("issue", "shown", "held") in {
        (pair.kind, pair.trained, pair.tested) for pair in look(store).pairs
    }
