"""The container: one codebook for all parts, all of it kept, and snapshots that keep nothing."""

import pytest
from hologram_rows import CODEBOOK, DIMENSIONS, facts, recall_rate
from repair_rows import add_task, add_tasks

from memory.errors import HologramError
from memory.hologram.constraints import AttemptKey
from memory.hologram.container import HologramContainer
from memory.repair_records import Source
from memory.store import Store

KEY = AttemptKey("c", "modify_line", "library", "swap")
SEED = CODEBOOK.seed


@pytest.fixture(autouse=True)
def tasks(store: Store) -> None:
    add_tasks(store)
    for number in range(6):
        add_task(store, f"t/{number}", base_date=float(number))


def container(store: Store | None, **options) -> HologramContainer:
    return HologramContainer(store, DIMENSIONS, SEED, **options)


def learn(memory: HologramContainer) -> None:
    for number in range(4):
        memory.constraints.record_attempt(KEY, 0.0, Source(f"t/{number}", stage_run_id=1))
    memory.create_neural_memory().consolidate(facts(0, 5))


def rows(store: Store) -> list[int]:
    tables = ("facts", "fact_labels", "constraints", "observations", "memory_versions", "memories")
    return [store.query(f"SELECT count(*) AS n FROM {table}")[0]["n"] for table in tables]


def test_all_parts_share_one_codebook(store: Store):
    memory = container(store)
    parts = [memory.resonator, memory.generator, memory.create_neural_memory("a"), memory]
    assert len({id(part.codebook) for part in parts}) == 1
    snapshot = memory.snapshot()
    parts = [snapshot.resonator, snapshot.generator, snapshot.create_neural_memory("a"), snapshot]
    assert {id(part.codebook) for part in parts} == {id(memory.codebook)}


def test_the_constraints_tell_the_observer_and_the_manager_has_it(store: Store):
    memory = container(store)
    learn(memory)
    assert memory.observer is memory.improvement.observer
    assert memory.observer.circuits()[0].failures == 4
    snapshot = memory.snapshot()
    snapshot.constraints.record_attempt(KEY, 1.0, Source("t/test"))
    assert snapshot.observer.circuits()[0].successes == 1


def test_what_it_learned_is_there_after_a_stop(store: Store):
    first = container(store)
    learn(first)
    second = container(store)
    assert second.constraints.penalty(KEY) == first.constraints.penalty(KEY) > 0
    assert second.observer.circuits() == first.observer.circuits()
    assert recall_rate(second.create_neural_memory(), facts(0, 5)) == 1.0
    assert second.create_neural_memory() is second.create_neural_memory()


def test_what_a_snapshot_learns_reaches_neither_the_memory_nor_another_snapshot(store: Store):
    memory = container(store)
    learn(memory)
    before, penalty = rows(store), memory.constraints.penalty(KEY)
    for _ in range(2):
        snapshot = memory.snapshot()
        assert snapshot.constraints.penalty(KEY) == penalty
        assert recall_rate(snapshot.create_neural_memory(), facts(0, 5)) == 1.0
        assert "pattern 7" not in snapshot.create_neural_memory().labels
        snapshot.constraints.record_attempt(KEY, 0.0, Source("t/test"))
        snapshot.create_neural_memory().consolidate(facts(7, 9, "t/test"))
        snapshot.create_neural_memory("other").consolidate(facts(0, 1, "t/test"))
        assert recall_rate(snapshot.create_neural_memory(), facts(7, 9)) == 1.0
    assert memory.constraints.penalty(KEY) == penalty
    assert memory.create_neural_memory().labels == tuple(f"pattern {n}" for n in range(5))
    assert [a - b for a, b in zip(rows(store), before, strict=True)] == [0, 0, 0, 0, 0, 1]
    assert store.labels("other") == []


def test_a_snapshot_of_before_a_date_knows_nothing_of_later_tasks(store: Store):
    memory = container(store)
    learn(memory)
    past = memory.snapshot(before=2.0)
    assert past.observer.circuits()[0].failures == 2
    assert 0 < past.constraints.penalty(KEY) < memory.constraints.penalty(KEY)
    with pytest.raises(HologramError, match="before a date"):
        past.create_neural_memory().recall(facts(0, 1)[0].key_vector)
    past.constraints.record_attempt(KEY, 0.0, Source("t/test"))
    assert past.observer.circuits()[0].failures == 3
    assert rows(store)[2:4] == [4, 1 + 3]


def test_a_cold_container_knows_nothing_and_keeps_nothing(store: Store):
    learn(container(store))
    before = rows(store)
    cold = container(None)
    assert (cold.constraints.penalty(KEY), cold.observer.circuits()) == (0.0, [])
    assert cold.create_neural_memory().recall(facts(0, 1)[0].key_vector) == []
    learn(cold)
    assert cold.constraints.penalty(KEY) > 0
    assert rows(store) == before


def test_a_store_that_is_open_for_reading_is_enough_to_use_it(store: Store):
    learn(container(store))
    with Store.open(store.path, read_only=True) as reader:
        memory = container(reader, writes=False)
        assert recall_rate(memory.create_neural_memory(), facts(0, 5)) == 1.0
        assert memory.create_neural_memory("absent").labels == ()
        memory.constraints.record_attempt(KEY, 0.0, Source("t/test"))
        snapshot = memory.snapshot()
        assert snapshot.constraints.penalty(KEY) == memory.constraints.penalty(KEY)
