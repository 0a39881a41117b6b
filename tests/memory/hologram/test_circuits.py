"""Circuits: what succeeded comes first, little known comes now and then, and all of it is kept."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from repair_rows import add_task, add_tasks, next_attempt, next_round

from memory.errors import SplitGuardError
from memory.hologram.circuits import CircuitObserver
from memory.repair_records import ObservationRow
from memory.store import Store


@pytest.fixture(autouse=True)
def tasks(request: pytest.FixtureRequest) -> None:
    if "store" in request.fixturenames:
        store = request.getfixturevalue("store")
        add_tasks(store)
        for number in range(40):
            add_task(store, f"t/{number}", base_date=float(number))


def rows(context: str, pattern: str, wins: int, losses: int, start: int = 0):
    return [
        ObservationRow(context, pattern, number < wins, f"t/{start + number}", stage_run_id=1)
        for number in range(wins + losses)
    ]


def observed(*groups) -> CircuitObserver:
    observer = CircuitObserver()
    for group in groups:
        observer.record(rows(*group))
    return observer


def share_first(observer: CircuitObserver, context: str, pattern: str, others: list[str]) -> float:
    rng = np.random.default_rng(0)
    firsts = [observer.rank(context, [*others, pattern], rng)[0] for _ in range(400)]
    return firsts.count(pattern) / len(firsts)


def test_the_posterior_is_that_of_the_counts_with_the_wider_levels_as_its_prior():
    observer = observed(("c", "p", 3, 1), ("d", "p", 1, 3), ("d", "q", 2, 0))
    overall = (6 + 1) / (10 + 2)
    elsewhere = (1 + 2 * overall) / (4 + 2)
    assert observer.posterior("c", "p") == pytest.approx(
        (3 + 4 * elsewhere, 1 + 4 * (1 - elsewhere))
    )
    assert observer.mean("x", "p") == pytest.approx((4 + 2 * overall) / (8 + 2))
    assert observer.mean("x", "unknown") == pytest.approx(overall)
    assert CircuitObserver().mean("x", "unknown") == 0.5


def test_what_works_elsewhere_is_the_prior_until_the_context_says_otherwise():
    observer = observed(("a", "good", 20, 0), ("b", "good", 18, 2), ("a", "bad", 0, 20))
    assert observer.mean("new", "good") > 0.8 > 0.2 > observer.mean("new", "bad")
    assert share_first(observer, "new", "good", ["bad"]) > 0.9
    observer.record(rows("new", "good", 0, 20, 20))
    assert observer.mean("new", "good") < 0.2


def test_a_pattern_that_is_little_known_comes_first_now_and_then():
    observer = observed(("c", "good", 12, 8), ("c", "bad", 2, 18))
    bad = share_first(observer, "c", "bad", ["good"])
    unknown = share_first(observer, "c", "unknown", ["good"])
    assert bad < 0.02 < unknown < 0.6


def test_the_same_seed_gives_the_same_order_and_every_pattern_is_in_it():
    observer = observed(("c", "p", 1, 3), ("c", "q", 2, 2))
    patterns = [*"pqrstuv"]
    orders = [observer.rank("c", patterns, np.random.default_rng(7)) for _ in range(2)]
    assert orders[0] == orders[1]
    assert sorted(orders[0]) == patterns
    assert observer.rank("c", [], np.random.default_rng(0)) == []


def test_it_survives_the_end_of_the_process_and_counts_an_outcome_once(store: Store):
    first = CircuitObserver(store)
    first.record(rows("c", "p", 3, 2) + rows("d", "p", 1, 0))
    first.record(rows("c", "p", 3, 2))  # by an attempt that was cut and goes on
    second = CircuitObserver(store)
    assert first.circuits() == second.circuits()
    assert [(row.successes, row.failures) for row in second.circuits()] == [(3, 2), (1, 0)]
    again = next_attempt(store)
    second.record([ObservationRow("c", "p", True, "t/4", stage_run_id=again)])
    assert second.circuits() == first.circuits()
    second.record([ObservationRow("c", "p", True, "t/4", stage_run_id=next_round(store))])
    assert second.mean("c", "p") > first.mean("c", "p")
    assert second.circuits() == CircuitObserver(store).circuits()


def test_a_task_of_the_test_split_teaches_nothing(store: Store):
    observer = CircuitObserver(store)
    with pytest.raises(SplitGuardError):
        observer.record([ObservationRow("c", "p", True, "t/test", stage_run_id=1)])
    assert observer.circuits() == CircuitObserver(store).circuits() == []


def test_a_snapshot_learns_for_itself_alone(store: Store):
    observer = CircuitObserver(store)
    observer.record(rows("c", "p", 2, 2))
    snapshot = observer.snapshot()
    before = observer.mean("c", "p")
    for _ in range(2):
        snapshot.record([ObservationRow("c", "p", True, "t/test")])
    assert (observer.mean("c", "p"), len(observer.circuits())) == (before, 1)
    assert snapshot.circuits()[0].successes == 3
    assert observer.snapshot().mean("c", "p") == before
    assert CircuitObserver(store).circuits() == observer.circuits()


def test_what_is_known_before_a_date(store: Store):
    CircuitObserver(store).record(rows("c", "p", 3, 3))
    (circuit,) = CircuitObserver(store, before=4.0).circuits()
    assert (circuit.successes, circuit.failures) == (3, 1)


def test_transfer_lists_what_was_tried_in_several_contexts_the_surest_first():
    observer = observed(
        ("a", "always", 5, 0), ("b", "always", 4, 0), ("c", "always", 6, 0),
        ("a", "mixed", 5, 0), ("b", "mixed", 0, 5), ("a", "local", 9, 0),
    )  # fmt: skip
    always, mixed = observer.transfer()
    assert (always.pattern, always.contexts, always.worked_in) == ("always", 3, 3)
    assert always.rate.value == 1.0
    assert 0.3 < always.rate.low < 0.9  # three contexts do not make it certain
    assert (mixed.worked_in, mixed.rate.value) == (1, 0.5)
    assert mixed.rate.low == 0.0
    assert [found.pattern for found in observer.transfer(min_contexts=1)][-1:] != ["always"]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"), st.sampled_from("pq"), st.integers(0, 9), st.integers(0, 9)
        ),
        max_size=8,
    )
)
def test_a_posterior_is_always_proper_and_a_success_never_lowers_the_mean(groups):
    observer = CircuitObserver()
    for start, (context, pattern, wins, losses) in enumerate(groups):
        observer.record(rows(context, pattern, wins, losses, 100 * start))
    for context in "abz":
        for pattern in "pqz":
            alpha, beta = observer.posterior(context, pattern)
            assert alpha > 0 < beta
            better = observer.snapshot()
            better.record([ObservationRow(context, pattern, True, "t/new")])
            assert better.mean(context, pattern) >= observer.mean(context, pattern)
