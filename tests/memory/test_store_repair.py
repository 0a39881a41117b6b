"""Patterns, facts, constraints, observations, repairs: written once, read back, counted."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from repair_rows import (
    add_task,
    add_tasks,
    attempt,
    fact,
    next_attempt,
    next_round,
    observation,
    open_memory,
    pattern,
    repair,
    seen,
)
from store_rows import add_labelled, begin

from memory.errors import StoreError
from memory.repair_records import MemoryRow, ObservationCount, RepairPairRow
from memory.store import Store

examples = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(autouse=True)
def tasks(store: Store) -> None:
    add_tasks(store)
    for name, date in (("early", 100.0), ("late", 200.0)):
        add_task(store, f"t/{name}", base_date=date)


def counts(store: Store, **asked) -> dict[str, tuple[int, int]]:
    return {row.pattern.key: (row.tasks, row.pairs) for row in store.patterns(**asked)}


def test_a_pattern_is_stored_once_and_counted_by_the_fixes_it_was_seen_in(store: Store):
    assert store.add_patterns([pattern("a"), pattern("b", "add_line"), pattern("a")]) == 2
    assert store.add_patterns([pattern("a")]) == 0
    broken, fixed = (row.sample.id for row in add_labelled(store, "p/train", 2))
    store.add_repair_pairs([RepairPairRow("p/train", broken, fixed, 0.9)])
    rows = [seen("b", "t/early"), seen("b", None, pair_id=1), seen("a", "t/early")]
    assert store.add_evidence([*rows, rows[0]]) == 3
    assert store.add_evidence(rows) == 0
    assert list(counts(store).items()) == [("b", (1, 1)), ("a", (1, 0))]
    assert counts(store, operation="add_line") == {"b": (1, 1)}
    assert counts(store, keys=["a"]) == {"a": (1, 0)}
    assert store.patterns()[0].support == 2
    assert store.patterns(keys=["a"])[0].pattern.abstraction == pattern("a").abstraction


def test_what_is_known_before_a_date_leaves_out_later_tasks_and_keeps_undated_ones(store: Store):
    store.add_patterns([pattern("a"), pattern("b")])
    store.add_evidence([seen("a", "t/early"), seen("a", "t/late"), seen("b", "t/late")])
    store.add_evidence([seen("a", "t/train", context=b"bits")])
    assert counts(store, before=200.0) == {"a": (2, 0)}
    assert counts(store, before=100.0) == {"a": (1, 0)}
    assert counts(store) == {"a": (3, 0), "b": (1, 0)}
    assert [row.task_id for row in store.evidence(before=150.0)] == ["t/early", "t/train"]
    (row,) = store.evidence(patterns=["a"], with_context=True)
    assert (row.context, row.details) == (b"bits", {})


def test_evidence_names_a_pattern_that_is_there_and_one_fix(store: Store):
    store.add_patterns([pattern()])
    with pytest.raises(StoreError, match=r"no pattern 'none' in the store; add it first"):
        store.add_evidence([seen(), seen("none")])
    for row in (seen("p", None), seen("p", pair_id=1)):
        with pytest.raises(StoreError, match="either a task or a pair"):
            store.add_evidence([row])
    assert store.evidence() == []


def test_labels_get_indexes_that_they_keep(store: Store):
    open_memory(store)
    keys = [bytes([number]) * 16 for number in range(4)]
    assert store.add_facts([fact("a", keys[0]), fact("b", keys[1]), fact("a", keys[2])]) == 3
    assert store.add_facts([fact("c", keys[3]), fact("a", keys[0])]) == 1
    assert store.labels("patterns") == ["a", "b", "c"]
    assert [(row.label, row.value_index) for row in store.facts("patterns")] == [
        ("a", 0),
        ("b", 1),
        ("a", 0),
        ("c", 2),
    ]
    ids = store.fact_ids("patterns")
    assert [row.key for row in store.facts("patterns", ids=ids[1:3])] == keys[1:3]
    assert [row.id for row in store.facts("patterns", after=ids[1], limit=1)] == [ids[2]]


def test_memories_are_told_apart_by_name_and_keep_their_dimensions(store: Store):
    open_memory(store)
    open_memory(store)
    store.open_memory(MemoryRow("other", 64, 5))
    store.add_facts([fact("x"), fact("y", bytes(8), memory="other", task_id="t/train")])
    assert (store.labels("patterns"), store.labels("other")) == (["x"], ["y"])
    assert [row.name for row in store.memories()] == ["other", "patterns"]
    with pytest.raises(StoreError, match=r"64 dimensions by the seed 5.*another state directory"):
        store.open_memory(MemoryRow("other", 64, 6))
    with pytest.raises(StoreError, match="has 16 bytes, not 8"):
        store.add_facts([fact("x", bytes(8))])
    with pytest.raises(StoreError, match="no memory 'none'"):
        store.add_facts([fact(memory="none", task_id="t/train")])


def test_facts_before_a_date(store: Store):
    open_memory(store)
    for number, name in enumerate(("early", "late", "train")):
        store.add_facts([fact("x", bytes([number]) * 16, task_id=f"t/{name}")])
    assert [row.task_id for row in store.facts("patterns", before=150)] == ["t/early", "t/train"]


def test_versions_of_a_memory_are_numbered(store: Store):
    open_memory(store)
    for last in (3, 9):
        given = {"last_fact": last, "stage_run_id": None}
        row = store.add_memory_version("patterns", Path("checkpoints/x"), "sha", **given)
    assert (row.version, row.last_fact) == (2, 9)
    assert [each.version for each in store.memory_versions("patterns")] == [1, 2]
    with pytest.raises(StoreError, match="relative to the state directory"):
        store.add_memory_version("patterns", Path("/x"), "sha", **given)


@pytest.mark.parametrize("run", [1, None])
def test_the_same_attempt_counts_once_a_round_whichever_stage_run_records_it(store: Store, run):
    row = attempt(0.2, stage_run_id=run)
    assert store.add_constraints([row]) == 1
    assert store.add_constraints([row]) == 0
    outcome = observation(stage_run_id=run)
    assert store.add_observations([outcome]) == 1
    assert store.add_observations([outcome]) == 0
    again = next_attempt(store)
    assert store.add_constraints([attempt(0.2, stage_run_id=again)]) == (run is None)
    assert store.add_observations([observation(stage_run_id=again)]) == (run is None)
    later = next_round(store)
    assert store.add_constraints([attempt(0.2, stage_run_id=later)]) == 1
    assert store.add_observations([observation(stage_run_id=later)]) == 1


def test_of_attempts_that_are_alike_in_one_batch_the_best_is_kept(store: Store):
    rows = [attempt(0.1), attempt(0.7), attempt(0.3), attempt(0.2, "drop")]
    assert store.add_constraints(rows) == 2
    assert [row.partial_score for row in store.constraints()] == [0.7, 0.2]
    outcomes = [observation(False), observation(True), observation(False)]
    assert store.add_observations(outcomes) == 1
    assert store.observation_counts() == [ObservationCount("c", "p", 1, 0)]
    with pytest.raises(StoreError, match=r"lies in \[0, 1\], not 1.5"):
        store.add_constraints([attempt(1.5)])


def test_constraints_are_read_latest_and_in_order(store: Store):
    rows = [attempt(0.0, f"o{number}", task_id="t/early") for number in range(5)]
    store.add_constraints([*rows, attempt(0.0, "late", task_id="t/late")])
    assert [row.operator for row in store.constraints(limit=2)] == ["o4", "late"]
    assert [row.operator for row in store.constraints(limit=2, before=150)] == ["o3", "o4"]


@examples
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["c", "d"]),
            st.sampled_from(["p", "q"]),
            st.booleans(),
            st.sampled_from(["t/train", "t/early", "t/late"]),
        ),
        max_size=20,
    )
)
def test_counts_are_those_of_the_rows(store: Store, rows):
    run = next_round(store)
    before = {(row.context, row.pattern): row for row in store.observation_counts()}
    distinct = {}
    for context, name, success, task in rows:
        key = (context, name, task)
        distinct[key] = distinct.get(key, False) or success
    store.add_observations(
        observation(success, name, context=context, task_id=task, stage_run_id=run)
        for context, name, success, task in rows
    )
    for row in store.observation_counts():
        old = before.get((row.context, row.pattern))
        own = [won for key, won in distinct.items() if key[:2] == (row.context, row.pattern)]
        assert row.successes == sum(own) + (old.successes if old else 0)
        assert row.failures == len(own) - sum(own) + (old.failures if old else 0)


def test_repairs_count_once_a_mode_model_and_round(store: Store):
    model = begin(store).id
    rows = [repair(), repair(mode="cold"), repair(model_id=model), repair("t/test")]
    assert store.add_repairs([*rows, *rows]) == 4
    again = next_attempt(store)
    assert store.add_repairs([repair(stage_run_id=again), repair("t/val", stage_run_id=again)]) == 1
    assert store.add_repairs([repair(stage_run_id=next_round(store), confidence=0.4)]) == 1
    assert [row.task_id for row in store.repairs(round_id=1, mode="cold")] == ["t/train"]
    assert store.repairs(round_id=2)[0].confidence == 0.4
    assert len(store.repairs(task_id="t/train")) == 4
    with pytest.raises(StoreError, match="CHECK"):
        store.add_repairs([repair(outcome="fixed", mode="other")])


def test_what_a_repair_was_made_of_comes_back(store: Store):
    row = repair(evidence={"pattern": "p", "score": float("nan")}, patch="--- a\ud800")
    store.add_repairs([row])
    (found,) = store.repairs()
    assert found.evidence == {"pattern": "p", "score": None}
    assert found.patch == "--- a\\ud800"


def test_no_rows_are_no_work(store: Store):
    for write in ("patterns", "evidence", "facts", "constraints", "observations", "repairs"):
        assert getattr(store, f"add_{write}")([]) == 0
