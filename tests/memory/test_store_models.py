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


def closed_round(store: Store) -> None:
    store.end_stage_run(1, "done")
    store.close_round(1, "done")


def by_hand(store: Store, model_id: str, replacing: str | None, decision: str = "promoted") -> None:
    store.promote_by_hand(model_id, replacing=replacing, decision=decision, reason="I say so")


def test_a_promotion_keeps_what_both_sides_measured(store: Store):
    gate = {"effect": EFFECT, "p_value": 0.01, "alpha": 0.05, "looks": 1, "reason": "better"}
    measured = {"verifier_pass1": {"value": 0.5, "low": None, "high": float("nan"), "n": 90}}
    store.promote(add_candidate(store).id, 1, decision="promoted", figures=measured, **gate)
    store.promote(
        add_candidate(store).id, 1, decision="kept", alternative={"kind": "length"}, **gate
    )
    kept = '{"verifier_pass1":{"high":null,"low":null,"n":90,"value":0.5}}'
    assert store.query("SELECT actor, figures, alternative FROM promotions ORDER BY id") == [
        {"actor": "gate", "figures": kept, "alternative": "{}"},
        {"actor": "gate", "figures": "{}", "alternative": '{"kind":"length"}'},
    ]


def test_a_promotion_by_hand_swaps_the_champion_with_a_row_and_an_event(store: Store):
    first, second = add_candidate(store), add_candidate(store)
    promote(store, first)
    promote(store, second, "kept")
    by_hand(store, second.id, first.id)
    assert store.champion("critic").id == second.id
    assert store.model(first.id).status == "retired"
    row = store.query("SELECT * FROM promotions ORDER BY id")[-1]
    assert (row["candidate"], row["champion"], row["decision"]) == (second.id, first.id, "promoted")
    assert (row["actor"], row["stage_run_id"], row["alpha"]) == ("hand", None, None)
    assert row["reason"] == "I say so"
    (event,) = store.events()
    assert (event["kind"], event["stage_run_id"]) == ("critic.promoted", None)
    assert event["data"] == {"model": second.id, "replaced": first.id, "actor": "hand"}
    by_hand(store, first.id, second.id, "rolled_back")
    by_hand(store, second.id, first.id)  # the same again, later, is an act of its own
    assert len(store.query("SELECT 1 FROM promotions WHERE candidate = ?", (second.id,))) == 3
    promote(store, first)  # the gate's decision was carried out long ago
    assert store.champion("critic").id == second.id


def test_a_choice_that_cannot_be_carried_out_leaves_no_trace(store: Store):
    first, unfinished = add_candidate(store), begin(store)
    with pytest.raises(StoreError, match="critic-0001 is being decided on in round 1; repeat"):
        by_hand(store, first.id, None)
    promote(store, first)
    before = store.query("SELECT count(*) AS n FROM promotions")
    for model_id, replacing, said in (
        (first.id, first.id, "champion already"),
        (unfinished.id, first.id, "is training and has no checkpoint"),
        ("critic-0009", first.id, "no model 'critic-0009'"),
    ):
        with pytest.raises(StoreError, match=said):
            by_hand(store, model_id, replacing)
    store.complete_model(unfinished.id, Path("checkpoints/x"), "0")
    closed_round(store)
    with pytest.raises(StoreError, match="the champion is critic-0001 by now, not None"):
        by_hand(store, unfinished.id, None)
    with pytest.raises(StoreError, match="CHECK"):
        by_hand(store, unfinished.id, first.id, "perhaps")
    assert store.champion("critic").id == first.id
    assert store.model(unfinished.id).status == "candidate"
    assert store.query("SELECT count(*) AS n FROM promotions") == before
    assert store.events() == []
    by_hand(store, unfinished.id, first.id)
    assert store.champion("critic").id == unfinished.id


def test_a_version_is_marked_stale_once_for_each_reason(store: Store):
    model = add_candidate(store)
    assert model.stale is None
    assert store.mark_stale(model.id, "its generator changed from a to b")
    assert not store.mark_stale(model.id, "its generator changed from a to b")
    assert store.mark_stale(model.id, "its generator changed from a to c")
    assert store.model(model.id).stale == "its generator changed from a to c"
    assert store.model(model.id).status == "candidate"
    assert store.mark_stale(model.id, None)
    assert store.model(model.id).stale is None
    with pytest.raises(StoreError, match="no model"):
        store.mark_stale("critic-0009", "x")


def test_an_evaluation_replaces_that_of_its_key_and_undefined_is_null(store: Store):
    model = add_candidate(store)
    key = (1, model.id, "mbpp", "test", "visible1/v1")
    store.add_evaluation(*key, {"pass1": Figure(0.5, 0.4, 0.6, 90), "gap": Figure(0.1, 0, 1, 9)})
    store.add_evaluation(*key, {"gap": Figure(float("nan"), None, float("inf"), 0)})
    assert store.query("SELECT metric, value, low, high, n FROM evaluations ORDER BY metric") == [
        {"metric": "gap", "value": None, "low": None, "high": None, "n": 0},
        {"metric": "pass1", "value": 0.5, "low": 0.4, "high": 0.6, "n": 90},
    ]


ACTS = ["complete", "promoted", "kept", "crown", "hand"]


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

    @rule(number=st.integers(1, 4), act=st.sampled_from(ACTS))
    def change(self, number: int, act: str) -> None:
        model_id = f"critic-{number:04d}"
        try:
            if act == "complete":
                self.store.complete_model(model_id, Path("checkpoints") / model_id, "0")
            elif act == "crown":
                self.store.set_model_status(model_id, "champion")
            elif act == "hand":
                now = self.store.champion("critic")
                by_hand(self.store, model_id, now.id if now else None)
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
