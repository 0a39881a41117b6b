"""Models: resumed after a cut, completed once, one champion of a kind, figures by key."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from store_rows import EFFECT, add_candidate, begin, promote

from memory.errors import StoreError
from memory.records import Figure
from memory.store import Store


def next_attempt(store: Store, round_id: int = 1) -> int:
    store.end_stage_run(store.stage_runs(round_id)[-1].id, "killed")
    return store.begin_stage_run(round_id, "critic", pid=None, pid_start=None).id


def test_the_next_attempt_of_a_stage_takes_its_unfinished_model_up_again(store: Store):
    first = begin(store)
    attempt = next_attempt(store)
    again = begin(store, stage_run_id=attempt)
    assert (again.id, again.status, again.stage_run_id) == (first.id, "training", attempt)
    assert begin(store, stage_run_id=attempt) == again
    assert len(store.models("critic")) == 1


@pytest.mark.parametrize("change", [{"config": {"layers": 3}}, {"generator_id": "other"}])
def test_an_unfinished_model_of_another_configuration_is_rejected(store: Store, change):
    first = begin(store)
    second = begin(store, stage_run_id=next_attempt(store), **change)
    assert [row.status for row in store.models("critic")] == ["rejected", "training"]
    assert (first.version, second.version) == (1, 2)


def test_a_model_that_another_round_or_kind_left_is_not_touched(store: Store):
    first, other = begin(store), begin(store, kind="ranker")
    store.end_stage_run(1, "failed")
    store.close_round(1, "failed")
    round_id = store.open_round(seed=2, config={}, code_version="0").id
    run = store.begin_stage_run(round_id, "critic", pid=None, pid_start=None)
    assert begin(store, stage_run_id=run.id).id == "critic-0002"
    assert store.model(first.id) == first
    assert store.models("ranker") == [other]


def test_completing_twice_is_once_and_with_another_file_is_refused(store: Store):
    model = add_candidate(store)
    assert (model.status, model.checkpoint) == ("candidate", "checkpoints/critic-0001.safetensors")
    assert store.complete_model(model.id, Path(model.checkpoint), model.sha256) == model
    with pytest.raises(StoreError, match="complete already"):
        store.complete_model(model.id, Path("checkpoints/other"), "0")


@pytest.mark.parametrize("path", ["/etc/passwd", "../other/checkpoints/c"])
def test_a_checkpoint_lies_in_the_state_directory(store: Store, path: str):
    with pytest.raises(StoreError, match="relative to the state directory"):
        store.complete_model(begin(store).id, Path(path), "0")


def test_a_promotion_swaps_the_champion_and_the_same_again_changes_nothing(store: Store):
    assert store.champion("critic") is None
    first = add_candidate(store)
    promote(store, first)
    second = add_candidate(store, parent=first.id)
    promote(store, second)
    attempt = next_attempt(store)
    promote(store, second, stage_run_id=attempt)
    assert store.champion("critic").id == second.id
    assert store.model(first.id).status == "retired"
    rows = store.query(
        "SELECT candidate, champion, decision, effect, n FROM promotions ORDER BY id"
    )
    decided = {"decision": "promoted", "effect": EFFECT.value, "n": EFFECT.n}
    assert rows == [
        {"candidate": first.id, "champion": None, **decided},
        {"candidate": second.id, "champion": first.id, **decided},
    ]


def test_a_candidate_that_is_not_better_is_rejected_and_kept_as_evidence(store: Store):
    promote(store, first := add_candidate(store))
    promote(store, second := add_candidate(store), "kept")
    assert store.champion("critic").id == first.id
    assert store.model(second.id).status == "rejected"
    assert store.model(second.id).checkpoint is not None


def test_what_is_no_candidate_or_no_decision_is_refused(store: Store):
    unfinished = begin(store)
    with pytest.raises(StoreError, match="only a candidate"):
        promote(store, unfinished)
    store.complete_model(unfinished.id, Path("checkpoints/x"), "0")
    with pytest.raises(StoreError, match="promoted, kept"):
        promote(store, unfinished, "perhaps")
    promote(store, unfinished, "kept")
    with pytest.raises(StoreError, match="rejected; only a candidate"):
        promote(store, unfinished, "promoted")
    with pytest.raises(StoreError, match="no model 'critic-0009'"):
        store.model("critic-0009")
    with pytest.raises(StoreError, match="CHECK"):
        store.set_model_status(unfinished.id, "splendid")


def test_an_evaluation_replaces_that_of_its_key_and_undefined_is_null(store: Store):
    model = add_candidate(store)
    key = (1, model.id, "mbpp", "test", "visible1/v1")
    store.add_evaluation(*key, {"pass1": Figure(0.5, 0.4, 0.6, 90), "gap": Figure(0.1, 0, 1, 9)})
    store.add_evaluation(*key, {"gap": Figure(float("nan"), None, float("inf"), 0)})
    assert store.query("SELECT metric, value, low, high, n FROM evaluations ORDER BY metric") == [
        {"metric": "gap", "value": None, "low": None, "high": None, "n": 0},
        {"metric": "pass1", "value": 0.5, "low": 0.4, "high": 0.6, "n": 90},
    ]


class Championship(RuleBasedStateMachine):
    """Whatever is done to models in whatever order, at most one of a kind is champion."""

    @initialize()
    def make(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.store = Store.open(Path(self.directory.name) / "kent.db")
        round_id = self.store.open_round(seed=1, config={}, code_version="0").id
        self.store.begin_stage_run(round_id, "critic", pid=None, pid_start=None)

    @rule(kind=st.sampled_from(["critic", "ranker"]), layers=st.integers(1, 2))
    def begin(self, kind: str, layers: int) -> None:
        begin(self.store, kind=kind, config={"layers": layers}, parent=None)

    @rule(number=st.integers(1, 4), act=st.sampled_from(["complete", "promoted", "kept", "crown"]))
    def change(self, number: int, act: str) -> None:
        model_id = f"critic-{number:04d}"
        try:
            if act == "complete":
                self.store.complete_model(model_id, Path("checkpoints") / model_id, "0")
            elif act == "crown":
                self.store.set_model_status(model_id, "champion")
            else:
                promote(self.store, self.store.model(model_id), act)
        except StoreError:
            return
        expected = {"complete": {"candidate", "champion", "rejected", "retired"}}
        expected |= {"promoted": {"champion", "retired"}, "kept": {"rejected"}}
        assert self.store.model(model_id).status in expected.get(act, {"champion"})

    @invariant()
    def one_champion(self) -> None:
        statuses = [row.status for row in self.store.models("critic")]
        assert statuses.count("champion") <= 1
        assert statuses.count("training") <= 1
        champion = self.store.champion("critic")
        assert (champion is not None) == ("champion" in statuses)

    def teardown(self) -> None:
        self.store.close()
        self.directory.cleanup()


Championship.TestCase.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
TestChampionship = Championship.TestCase
