"""The split guard: the database itself keeps validation and test out of every training."""

import sqlite3

import pytest
from store_rows import add_labelled, begin, pairs, sample, verdict

from memory.errors import SplitGuardError, StoreError
from memory.store import Store


@pytest.mark.parametrize("problem_id", ["p/val", "p/test", "p/prompt"])
def test_only_samples_of_train_problems_train(store: Store, problem_id: str):
    model = begin(store)
    good, bad = add_labelled(store, "p/train"), add_labelled(store, problem_id)
    with pytest.raises(SplitGuardError, match="not of a train problem"):
        store.add_training_examples(model.id, pairs(good + bad))
    assert store.query("SELECT * FROM training_examples") == []
    store.add_training_examples(model.id, pairs(good))
    store.add_training_examples(model.id, pairs(good))
    assert len(store.query("SELECT * FROM training_examples")) == len(good)


def test_a_label_is_the_verdict_on_that_very_program(store: Store):
    model = begin(store)
    first, second = add_labelled(store, "p/train", 2)
    with pytest.raises(StoreError, match="label guard"):
        store.add_training_examples(model.id, [(first.sample.id, second.verdict_id)])


def test_what_is_unknown_cannot_train(store: Store):
    model, rows = begin(store), add_labelled(store, "p/train")
    for pair in [(99, 1), (rows[0].sample.id, 99)]:
        with pytest.raises(StoreError):
            store.add_training_examples(model.id, [pair])
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        store.add_training_examples("critic-9999", pairs(rows))


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE splits SET split = 'train' WHERE problem_id = 'p/test'",
        "UPDATE splits SET split = 'test' WHERE problem_id = 'p/train'",
        "UPDATE splits SET problem_id = 'p/new' WHERE problem_id = 'p/train'",
        "DELETE FROM splits WHERE problem_id = 'p/test'",
        "INSERT OR REPLACE INTO splits VALUES ('p/test', 'train', '')",
        "UPDATE samples SET problem_id = 'p/train' WHERE problem_id = 'p/test'",
        "UPDATE samples SET code = '' WHERE problem_id = 'p/test'",
        "UPDATE samples SET id = 77 WHERE problem_id = 'p/test'",
        "INSERT OR REPLACE INTO samples SELECT id, 'p/train', 'g', protocol, params, params_hash, "
        "idx, seed, completion, code, program_hash, tokens, logprob, finish_reason, stage_run_id, "
        "created_at FROM samples WHERE problem_id = 'p/test'",
        "INSERT INTO training_examples SELECT 'critic-0001', x.id, v.id FROM samples x "
        "JOIN verdicts v USING (program_hash) WHERE x.problem_id = 'p/test'",
        "INSERT OR REPLACE INTO training_examples SELECT 'critic-0001', x.id, v.id FROM samples x "
        "JOIN verdicts v USING (program_hash) WHERE x.problem_id = 'p/test'",
        "UPDATE training_examples SET sample_id = (SELECT max(id) FROM samples)",
    ],
)
def test_no_statement_gets_past_it_not_even_outside_of_kent(store: Store, sql: str):
    store.add_problems([], "by hand")
    model = begin(store)
    store.add_training_examples(model.id, pairs(add_labelled(store, "p/train", 1)))
    add_labelled(store, "p/test", 1)
    foreign = sqlite3.connect(store.path, isolation_level=None)  # no foreign keys, no pragmas
    with pytest.raises(sqlite3.IntegrityError, match="guard"):
        foreign.execute(sql)
    foreign.close()


def test_a_problem_in_no_split_cannot_train(store: Store):
    plant = sqlite3.connect(store.path, isolation_level=None)
    plant.execute(
        "INSERT INTO problems SELECT 'p/none', source, statement, entry_point, stub, visible_tests,"
        " tests, tests_hash, reference, metadata, imported_at FROM problems WHERE id = 'p/train'"
    )
    plant.close()
    row = sample("p/none")
    store.add_samples([row])
    store.add_verdicts([verdict(row)])
    with pytest.raises(SplitGuardError):
        store.add_training_examples(begin(store).id, [(1, 1)])
