"""Inputs for agreement and what programs gave on them: stored once, read back as they were."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_rows import sha

from memory.errors import StoreError
from memory.records import AgreementInputsRow, BehaviourRow
from memory.store import Store


def inputs(problem_id: str = "p/train", name: str = "i", **changes) -> AgreementInputsRow:
    given = {"origin": "visible mutated", "inputs": [{"args": [1], "expected": None}], "seed": 3}
    return AgreementInputsRow(problem_id, sha(name), **{"generator_id": None, **given, **changes})


def behaviour(program: str = "x", name: str = "i", *outcomes: str, **changes) -> BehaviourRow:
    where = {"sandbox_version": "3", "sandbox_level": "A", **changes}
    return BehaviourRow(
        sha(program), sha(name), outcomes=outcomes or ("d1", "!ValueError"), **where
    )


def test_inputs_come_back_by_problem_in_the_order_they_came(store: Store):
    rows = [inputs(name="b"), inputs(name="a", generator_id="gen"), inputs("p/test")]
    for row in rows:
        assert store.add_agreement_inputs([row]) == 1
    found = store.agreement_inputs(["p/train", "p/val", "p/test"])
    assert found == {"p/train": rows[:2], "p/val": [], "p/test": rows[2:]}


def test_inputs_that_are_there_stay_as_they_are(store: Store):
    first = inputs()
    store.add_agreement_inputs([first])
    again = [inputs(seed=9, inputs=[]), inputs("p/val"), inputs(name="other")]
    assert store.add_agreement_inputs(again) == 2
    assert store.agreement_inputs(["p/train"])["p/train"][0] == first


def test_inputs_of_an_unknown_problem_refuse_the_whole_batch(store: Store):
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        store.add_agreement_inputs([inputs(), inputs("p/none")])
    assert store.agreement_inputs(["p/train"]) == {"p/train": []}


def test_a_behaviour_is_of_its_program_inputs_version_and_level(store: Store):
    rows = [behaviour(), behaviour("y"), behaviour("x", "j"), behaviour(sandbox_version="4")]
    assert store.add_behaviours(rows) == 4
    pairs = [(sha("x"), sha("i")), (sha("y"), sha("j")), (sha("x"), sha("j"))]
    found = store.behaviours(pairs, "3", "A")
    assert found == {pairs[0]: rows[0].outcomes, pairs[2]: rows[2].outcomes}
    assert set(store.behaviours(pairs, "4", "A")) == {pairs[0]}
    assert store.behaviours(pairs, "3", "B") == {}


def test_a_behaviour_that_is_there_stays_as_it_is(store: Store):
    store.add_behaviours([behaviour()])
    assert store.add_behaviours([behaviour("x", "i", "another"), behaviour("y")]) == 1
    found = store.behaviours([(sha("x"), sha("i"))], "3", "A")
    assert list(found.values()) == [("d1", "!ValueError")]


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(outcomes=st.lists(st.text(st.characters(exclude_categories=()), max_size=30), max_size=30))
def test_any_outcomes_come_back_to_the_letter(store: Store, outcomes: list[str]):
    row = BehaviourRow(sha(repr(outcomes)), sha("i"), "3", "A", tuple(outcomes))
    store.add_behaviours([row])
    pair = (row.program_hash, row.inputs_hash)
    assert store.behaviours([pair], "3", "A") == {pair: row.outcomes}


def test_no_rows_are_no_work(store: Store):
    assert (store.add_agreement_inputs([]), store.add_behaviours([])) == (0, 0)
    assert store.behaviours([], "3", "A") == {}
