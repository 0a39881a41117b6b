"""What is learned is of train tasks and train problems only, whatever way it comes in."""

import sqlite3

import pytest
from repair_rows import (
    add_tasks,
    attempt,
    fact,
    observation,
    open_memory,
    pattern,
    repair,
    seen,
)
from store_rows import add_labelled, begin

from memory.errors import SplitGuardError, StoreError
from memory.repair_records import RepairPairRow
from memory.store import Store

WRITERS = {
    "evidence": lambda store, **of: store.add_evidence([seen(task=None, **of)]),
    "facts": lambda store, **of: store.add_facts([fact(**of)]),
    "constraints": lambda store, **of: store.add_constraints([attempt(**of)]),
    "observations": lambda store, **of: store.add_observations([observation(**of)]),
}


@pytest.fixture(autouse=True)
def tasks(store: Store) -> None:
    add_tasks(store)
    open_memory(store)
    store.add_patterns([pattern()])


def write(store: Store, what: str, **of) -> int:
    """Write one row that says what it was learned from, and nothing else."""
    of = {"task_id": None, **of}
    if what == "evidence":
        return store.add_evidence([seen("p", of["task_id"])])
    return WRITERS[what](store, **of)


@pytest.mark.parametrize("what", WRITERS)
@pytest.mark.parametrize("task", ["t/val", "t/test", "t/unknown"])
def test_nothing_is_learned_from_a_task_that_is_not_a_train_task(
    store: Store, what: str, task: str
):
    with pytest.raises(SplitGuardError, match="not a train task"):
        write(store, what, task_id=task)
    assert write(store, what, task_id="t/train") == 1


@pytest.mark.parametrize("what", ["facts", "constraints", "observations"])
@pytest.mark.parametrize("problem", ["p/val", "p/test", "p/prompt"])
def test_nothing_is_learned_from_a_problem_that_is_not_a_train_problem(
    store: Store, what: str, problem: str
):
    with pytest.raises(SplitGuardError, match="not a train problem"):
        write(store, what, problem_id=problem)
    assert write(store, what, problem_id="p/train") == 1


@pytest.mark.parametrize("what", ["facts", "constraints", "observations"])
def test_a_row_says_of_one_thing_what_it_was_learned_from(store: Store, what: str):
    for of in ({}, {"task_id": "t/train", "problem_id": "p/train"}):
        with pytest.raises(StoreError, match="CHECK"):
            write(store, what, **of)


def test_a_batch_with_one_row_of_the_test_split_is_refused_whole(store: Store):
    with pytest.raises(SplitGuardError):
        store.add_facts([fact("a"), fact("b", task_id="t/test")])
    assert store.facts("patterns") == []
    assert store.labels("patterns") == []


def test_a_model_is_trained_on_train_tasks_only(store: Store):
    model = begin(store).id
    with pytest.raises(SplitGuardError, match="not a train task"):
        store.add_training_tasks(model, ["t/train", "t/test"])
    assert store.training_tasks(model) == set()
    for _ in range(2):
        store.add_training_tasks(model, ["t/train"])
    assert store.training_tasks(model) == {"t/train"}


def test_pairs_are_of_two_samples_of_one_train_problem(store: Store):
    train, test = add_labelled(store, "p/train", 2), add_labelled(store, "p/test", 2)
    ids = [row.sample.id for row in train + test]
    wrong = [("p/test", ids[2], ids[3]), ("p/train", ids[0], ids[2]), ("p/train", ids[2], ids[0])]
    for problem_id, broken, fixed in wrong:
        with pytest.raises(SplitGuardError, match="not of a train problem"):
            store.add_repair_pairs([RepairPairRow(problem_id, broken, fixed, 0.9)])
    assert store.add_repair_pairs([RepairPairRow("p/train", ids[0], ids[1], 0.9)]) == 1


def test_repairs_of_any_split_are_kept_since_nothing_learns_from_them(store: Store):
    rows = [repair("t/train"), repair("t/val"), repair("t/test")]
    assert store.add_repairs(rows) == 3


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE swe_tasks SET split = 'train' WHERE id = 't/test'",
        "UPDATE swe_tasks SET id = 't/x' WHERE id = 't/test'",
        "DELETE FROM swe_tasks WHERE id = 't/test'",
        "INSERT OR REPLACE INTO swe_tasks SELECT id, source, repo, base_commit, base_date, issue, "
        "'train', rule, trees, body, imported_at FROM swe_tasks WHERE id = 't/test'",
        "UPDATE facts SET task_id = 't/test'",
        "UPDATE observations SET task_id = 't/test'",
        "UPDATE constraints SET task_id = 't/test'",
        "UPDATE pattern_evidence SET task_id = 't/test'",
        "UPDATE training_tasks SET task_id = 't/test'",
        "INSERT OR REPLACE INTO training_tasks VALUES ('critic-0001', 't/test')",
    ],
)
def test_no_statement_gets_past_it_not_even_outside_of_kent(store: Store, sql: str):
    for what in WRITERS:
        write(store, what, task_id="t/train")
    store.add_training_tasks(begin(store).id, ["t/train"])
    foreign = sqlite3.connect(store.path, isolation_level=None)
    with pytest.raises(sqlite3.IntegrityError, match="guard"):
        foreign.execute(sql)
    foreign.close()
