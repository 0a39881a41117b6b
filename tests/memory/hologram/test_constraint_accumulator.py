"""Constraints: failures speak against what was tried, coarser keys a little, all of it fading."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from repair_rows import add_task, add_tasks, next_attempt

from memory.errors import SplitGuardError, StoreError
from memory.hologram.circuits import CircuitObserver
from memory.hologram.constraints import Attempt, AttemptKey, ConstraintAccumulator
from memory.repair_records import Source
from memory.store import Store

KEY = AttemptKey("cluster 3", "modify_line", "library", "swap operands")
OTHER = AttemptKey("cluster 9", "add_line", "script", "guard")


@pytest.fixture(autouse=True)
def tasks(request: pytest.FixtureRequest) -> None:
    if "store" in request.fixturenames:
        store = request.getfixturevalue("store")
        add_tasks(store)
        for number in range(10):
            add_task(store, f"t/{number}", base_date=float(number))


def of(number: int, run: int | None = 1) -> Source:
    return Source(task_id=f"t/{number}", stage_run_id=run)


def tried(*scores: float, key: AttemptKey = KEY, **options) -> ConstraintAccumulator:
    constraints = ConstraintAccumulator(**options)
    for number, score in enumerate(scores):
        constraints.record_attempt(key, score, of(number))
    return constraints


def test_nothing_speaks_against_what_was_never_tried():
    assert ConstraintAccumulator().penalty(KEY) == 0.0
    assert tried(0.0, 0.0).penalty(OTHER) == 0.0


def test_each_failure_speaks_louder_and_a_success_takes_it_back():
    penalties = [tried(*[0.0] * count).penalty(KEY) for count in range(6)]
    assert penalties == sorted(set(penalties))
    assert 0.5 < penalties[1] < penalties[5] < 1.0
    assert tried(0.0, 1.0).penalty(KEY) < penalties[1]
    assert tried(0.9).penalty(KEY) < tried(0.1).penalty(KEY)


def test_coarser_keys_speak_less_the_coarser_they_are():
    constraints = tried(0.0, 0.0, 0.0, half_life=1e9)
    elsewhere = replace(KEY, context="another")
    role = replace(elsewhere, file_role="test")
    operator = replace(role, operator="another")
    ladder = [constraints.penalty(key) for key in (KEY, elsewhere, role, operator)]
    assert ladder == sorted(ladder, reverse=True)
    assert len(set(ladder)) == 4
    assert 0 < ladder[3] < 0.2
    assert constraints.penalty(replace(operator, operation="add_line")) == 0.0


def test_a_success_elsewhere_outweighs_nothing_but_softens_the_coarser_level():
    constraints = tried(0.0)
    elsewhere = replace(KEY, context="another")
    before = constraints.penalty(elsewhere)
    constraints.record_attempt(elsewhere, 1.0, of(9))
    assert constraints.penalty(elsewhere) < before


def test_a_failure_counts_half_after_a_half_life_of_attempts():
    constraints = tried(0.0, half_life=20)
    for number in range(20):
        constraints.record_attempt(OTHER, 0.0, of(100 + number))
    exact = constraints.reasons(KEY)[0]
    assert (exact.failures, exact.attempts) == pytest.approx((0.5, 0.5))
    for number in range(400):
        constraints.record_attempt(OTHER, 0.0, of(200 + number))
    assert constraints.penalty(KEY) < 1e-4


def test_the_reasons_are_the_levels_with_what_they_count():
    constraints = tried(0.0, 0.25, half_life=1e9)
    reasons = constraints.reasons(replace(KEY, context="another"))
    assert [reason.attempts for reason in reasons] == pytest.approx([0, 2, 2, 2])
    assert reasons[1].failures == pytest.approx(1.75)
    assert reasons[3].level == ("modify_line",)


def test_it_survives_the_end_of_the_process_and_counts_an_attempt_once(store: Store):
    first = ConstraintAccumulator(store, half_life=5)
    for number in range(8):
        first.record([Attempt(KEY, 0.3), Attempt(OTHER, 0.0)], of(number))
    first.record([Attempt(KEY, 0.3), Attempt(OTHER, 0.0)], of(7, next_attempt(store)))
    second = ConstraintAccumulator(store, half_life=5)
    assert len(first) == len(second) == 16
    for key in (KEY, OTHER, replace(KEY, operator="another")):
        assert first.penalty(key) == pytest.approx(second.penalty(key))


def test_of_one_batch_the_nearest_attempt_of_a_key_counts(store: Store):
    constraints = ConstraintAccumulator(store)
    constraints.record([Attempt(KEY, 0.0), Attempt(KEY, 0.8), Attempt(KEY, 0.2)], of(0))
    assert constraints.reasons(KEY)[0].failures == pytest.approx(0.2)
    assert [row.partial_score for row in store.constraints()] == [0.8]


def test_the_observer_hears_of_each_attempt(store: Store):
    constraints, observer = ConstraintAccumulator(store), CircuitObserver(store)
    constraints.set_circuit_observer(observer)
    constraints.record([Attempt(KEY, 0.5), Attempt(OTHER, 1.0, pattern="p")], of(0))
    constraints.record([Attempt(KEY, 0.5)], of(0))
    found = {
        (row.context, row.pattern): (row.successes, row.failures) for row in observer.circuits()
    }
    assert found == {("cluster 3", "swap operands"): (0, 1), ("cluster 9", "p"): (1, 0)}


def test_a_task_of_the_test_split_leaves_no_constraint(store: Store):
    constraints, observer = ConstraintAccumulator(store), CircuitObserver(store)
    constraints.set_circuit_observer(observer)
    with pytest.raises(SplitGuardError):
        constraints.record_attempt(KEY, 0.0, Source(task_id="t/test"))
    with pytest.raises(StoreError, match="partial score"):
        constraints.record_attempt(KEY, 1.5, of(0))
    assert (len(constraints), observer.circuits()) == (0, [])


def test_a_snapshot_learns_for_itself_alone(store: Store):
    constraints, observer = ConstraintAccumulator(store), CircuitObserver(store)
    constraints.set_circuit_observer(observer)
    constraints.record_attempt(KEY, 0.0, of(0))
    scratch = observer.snapshot()
    snapshot = constraints.snapshot(scratch)
    before = constraints.penalty(KEY)
    for _ in range(2):
        snapshot.record_attempt(KEY, 0.0, Source(task_id="t/test"))
    assert snapshot.penalty(KEY) > before == constraints.penalty(KEY)
    assert (len(snapshot), len(constraints), len(store.constraints())) == (2, 1, 1)
    assert (scratch.circuits()[0].failures, observer.circuits()[0].failures) == (2, 1)
    assert constraints.snapshot().penalty(KEY) == before


def test_what_is_known_before_a_date(store: Store):
    constraints = ConstraintAccumulator(store)
    for number in range(4):
        constraints.record_attempt(KEY, 0.0, of(number))
    assert len(ConstraintAccumulator(store, before=2.0)) == 2


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([KEY, OTHER]), st.floats(0, 1)), max_size=30))
def test_a_penalty_is_a_share(attempts):
    constraints = ConstraintAccumulator(half_life=7)
    for number, (key, score) in enumerate(attempts):
        constraints.record_attempt(key, score, of(number))
    for key in (KEY, OTHER, replace(KEY, context="another")):
        assert 0 <= constraints.penalty(key) < 1
