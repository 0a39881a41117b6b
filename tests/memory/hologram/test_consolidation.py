"""Consolidation: what was stored is recalled, after more, after a stop and after damage."""

from dataclasses import replace

import pytest
import torch
from hologram_rows import CODEBOOK, DIMENSIONS, facts, manager, recall_rate
from repair_rows import add_task, add_tasks

from memory.errors import HologramError, SplitGuardError, StoreError
from memory.hologram.codebook import Codebook
from memory.hologram.consolidation import ConsolidationFact, ConsolidationManager
from memory.hologram.forgetting import forgetting
from memory.hologram.neural_memory import NeuralMemoryNetwork
from memory.hologram.rehearsal import Schedule
from memory.maintenance import verify
from memory.store import Store


@pytest.fixture(autouse=True)
def tasks(store: Store) -> None:
    add_tasks(store)
    add_task(store, "t/early", base_date=100.0)
    add_task(store, "t/late", base_date=200.0)


def test_a_hundred_stored_patterns_are_recalled_after_a_stop_as_well(store: Store):
    some = facts(0, 100)
    memory = manager(store)
    done = memory.consolidate(some, stage_run_id=1)
    assert (done.new, done.trained, memory.pending) == (100, 100, 0)
    assert recall_rate(memory, some) == 1.0
    assert len(memory.labels) == 100
    again = manager(store)
    assert (again.pending, recall_rate(again, some)) == (0, 1.0)
    first, second = (each.recall(some[0].key_vector, 3) for each in (memory, again))
    assert first == second
    assert first[0].index == memory.labels.index("pattern 0")
    assert verify(store.path.parent) == []


def test_what_was_learned_is_not_forgotten_and_without_rehearsal_it_is(store: Store):
    first, further = facts(0, 30), facts(30, 150)
    kept = forgetting(manager(store), first, further, batch=30)
    assert kept.before.value == 1.0
    assert kept.points < 2
    assert (kept.further.value, kept.lost.n) == (1.0, 30)
    unrehearsed = manager(None, schedule=Schedule(replay=0, repairs=0))
    assert forgetting(unrehearsed, first, further, batch=30).points > 50


def test_a_key_with_turned_bits_and_a_weighted_one_recall_as_well(store: Store):
    some = facts(0, 40)
    memory = manager(store)
    memory.consolidate(some)
    turned = [replace(fact, key_vector=fact.key_vector.clone()) for fact in some]
    for fact in turned:
        fact.key_vector[: DIMENSIONS // 5] *= -1
    assert recall_rate(memory, turned) > 0.9
    weighted = [replace(fact, key_vector=fact.key_vector * 3.5) for fact in some]
    assert recall_rate(memory, weighted) == 1.0


def test_labels_have_indexes_that_the_manager_gives_out(store: Store):
    memory = manager(store)
    memory.consolidate(facts(0, 2), train=False)
    known = replace(facts(1, 2)[0], value_index=1)
    assert memory.consolidate([known], train=False).new == 0
    with pytest.raises(HologramError, match="'pattern 1' has the index 1"):
        memory.consolidate([replace(known, value_index=0)])
    assert len(memory) == 2


def test_what_a_cut_left_untrained_is_learned_the_next_time(store: Store):
    manager(store).consolidate(facts(0, 10))
    manager(store).consolidate(facts(10, 20), train=False)
    again = manager(store)
    assert again.pending == 10
    assert again.consolidate([]).trained == 10
    assert recall_rate(manager(store), facts(0, 20)) == 1.0
    assert again.consolidate([]).version is None


@pytest.mark.parametrize("damage", ["missing", "changed", "another shape"])
def test_weights_that_cannot_be_used_are_trained_anew_from_the_facts(store: Store, damage: str):
    done = manager(store).consolidate(facts(0, 10))
    path = store.path.parent / done.version.checkpoint
    if damage == "missing":
        path.unlink()
    elif damage == "changed":
        path.write_bytes(path.read_bytes()[:-8] + bytes(8))
    options = {"hidden": 32} if damage == "another shape" else {}
    with pytest.raises(StoreError, match="`kent round code` trains the memory anew"):
        manager(store, writes=False, **options)
    memory = manager(store, **options)
    assert memory.pending == 10
    assert "trained anew from its facts" in store.events()[0]["message"]
    memory.consolidate([])
    assert recall_rate(manager(store, **options), facts(0, 10)) == 1.0


def test_only_the_last_weights_stay_on_the_disk(store: Store):
    memory = manager(store)
    for number in range(5):
        version = memory.consolidate(facts(number, number + 1)).version
    folder = store.path.parent / "checkpoints" / "memory"
    assert len(list(folder.iterdir())) == 3
    assert (store.path.parent / version.checkpoint).exists()
    assert [row.version for row in store.memory_versions("patterns")] == [1, 2, 3, 4, 5]


def test_a_fact_of_the_test_split_is_kept_nowhere(store: Store):
    memory = manager(store)
    with pytest.raises(SplitGuardError):
        memory.consolidate([*facts(0, 2), *facts(2, 3, "t/test")])
    assert (len(memory), memory.labels, memory.pending) == (0, (), 0)


def test_a_snapshot_learns_for_itself_alone(store: Store):
    memory = manager(store)
    memory.consolidate(facts(0, 10))
    snapshot = memory.snapshot()
    before = memory.recall(facts(10, 11)[0].key_vector, 3)
    snapshot.consolidate(facts(10, 14, "t/test"))
    assert recall_rate(snapshot, facts(0, 14)) == 1.0
    assert memory.recall(facts(10, 11)[0].key_vector, 3) == before
    assert (len(snapshot), len(memory), len(memory.labels)) == (14, 10, 10)
    assert len(store.facts("patterns")) == 10
    assert len(memory.snapshot().labels) == 10
    assert snapshot.nearest(facts(12, 13)[0].key_vector)[0].fact.label == "pattern 12"


def test_what_the_memory_learns_later_does_not_reach_its_snapshot(store: Store):
    memory = manager(store)
    memory.consolidate(facts(0, 10))
    snapshot = memory.snapshot()
    before = snapshot.recall(facts(0, 1)[0].key_vector, 5)
    memory.consolidate(facts(10, 30))
    assert snapshot.recall(facts(0, 1)[0].key_vector, 5) == before
    assert (len(snapshot), len(memory)) == (10, 30)


def test_a_memory_without_a_store_learns_too(store: Store):
    memory = manager(None)
    memory.consolidate(facts(0, 20, "t/test"))
    assert recall_rate(memory, facts(0, 20)) == 1.0
    assert store.facts("patterns") == []


def test_the_nearest_facts_say_where_they_come_from_and_can_be_cut_off_at_a_date(store: Store):
    memory = manager(store)
    for number, task in enumerate(["t/early", "t/late", "t/train"]):
        memory.consolidate(facts(number, number + 1, task), train=False)
    key = torch.stack([fact.key_vector for fact in facts(0, 3)]).float()
    query = key[1] * 3 + key[0] * 2 + key[2]
    assert [near.fact.task_id for near in memory.nearest(query, 3)] == [
        "t/late",
        "t/early",
        "t/train",
    ]
    past = memory.nearest(query, 3, before=150.0)
    assert [near.fact.task_id for near in past] == ["t/early", "t/train"]
    assert past[0].cosine > past[1].cosine
    memory.consolidate(facts(3, 4), train=False)
    assert memory.nearest(facts(3, 4)[0].key_vector)[0].cosine == pytest.approx(1.0)


def test_a_snapshot_of_before_a_date_gives_no_later_fact(store: Store):
    memory = manager(store)
    memory.consolidate(facts(0, 1, "t/early") + facts(1, 2, "t/late"))
    past = memory.snapshot(before=150.0)
    key = facts(1, 2)[0].key_vector
    assert [near.fact.task_id for near in past.nearest(key, 5, before=300.0)] == ["t/early"]
    with pytest.raises(HologramError, match="known before a date"):
        past.recall(key)
    assert memory.recall(key)[0].label == "pattern 1"


def test_keys_of_another_codebook_are_refused(store: Store):
    manager(store)
    with pytest.raises(StoreError, match="another state directory"):
        ConsolidationManager(store, NeuralMemoryNetwork(DIMENSIONS), Codebook(DIMENSIONS, 4))
    with pytest.raises(HologramError, match="no name of a memory"):
        manager(store, memory="../x")


def test_the_same_facts_give_the_same_weights(store: Store):
    state = torch.get_rng_state()
    first, second = manager(None), manager(None)
    for memory in (first, second):
        memory.consolidate(facts(0, 5))
        memory.consolidate(facts(5, 8))
    key = CODEBOOK.vector("key", "3")
    assert first.recall(key, 8) == second.recall(key, 8)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_key_with_several_labels_recalls_all_of_them_and_takes_no_longer(store: Store):
    some = facts(0, 10)
    several = [replace(fact, value_label=f"{fact.value_label} {n}") for fact in some for n in "ab"]
    memory = manager(store)
    done = memory.consolidate(several)
    assert done.epochs < 300
    for fact in some:
        found = memory.recall(fact.key_vector, 2)
        assert {answer.label for answer in found} == {f"{fact.value_label} {n}" for n in "ab"}
        assert all(0.3 < answer.probability < 0.7 for answer in found)


def test_a_fact_may_come_from_a_train_problem(store: Store):
    key = CODEBOOK.vector("key", "x")
    memory = manager(store)
    memory.consolidate([ConsolidationFact(key, "x", problem_id="p/train")], train=False)
    assert memory.nearest(key)[0].fact.problem_id == "p/train"
    with pytest.raises(SplitGuardError):
        memory.consolidate([ConsolidationFact(key, "y", problem_id="p/test")])
