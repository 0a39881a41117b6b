"""The figures of improvement: what was known by the end of each round, and how its repairs went."""

import json
from dataclasses import replace

import pytest
from hologram_rows import facts, manager
from repair_rows import add_task, add_tasks, next_round, observation, pattern, repair, seen

from memory.hologram.self_improvement import SelfImprovementManager, repair_figures
from memory.repair_records import RepairRow
from memory.store import Store


@pytest.fixture(autouse=True)
def tasks(store: Store) -> None:
    add_tasks(store)
    for number in range(30):
        add_task(store, f"t/{number}")


def repairs(outcomes: dict[str, list[int]], mode: str, run: int | None) -> list[RepairRow]:
    """One repair for each number of candidates, by outcome."""
    rows = [(outcome, tried) for outcome, numbers in outcomes.items() for tried in numbers]
    return [
        repair(f"t/{at}", mode=mode, outcome=outcome, candidates=tried, stage_run_id=run)
        for at, (outcome, tried) in enumerate(rows)
    ]


def test_each_round_tells_what_was_known_by_its_end(store: Store):
    improvement = SelfImprovementManager(store)
    store.add_patterns([pattern("a"), pattern("b")])
    store.add_evidence([seen("a"), seen("b", stage_run_id=1)])
    manager(store).consolidate(facts(0, 3), stage_run_id=1, train=False)
    run = next_round(store)
    store.add_patterns([pattern("c")])
    improvement.observer.record([observation(stage_run_id=run)])
    manager(store).consolidate(facts(3, 5), stage_run_id=run, train=False)
    first, second = improvement.rounds()
    assert first.learned == {
        "patterns": 2, "evidence": 2, "facts": 3, "attempts": 0, "observations": 0
    }  # fmt: skip
    assert second.learned == {
        "patterns": 3, "evidence": 2, "facts": 5, "attempts": 0, "observations": 1
    }  # fmt: skip


def test_repairs_are_told_by_round_and_mode(store: Store):
    store.add_repairs(repairs({"resolved": [10], "unrepaired": [90]}, "cold", 1))
    run = next_round(store)
    store.add_repairs(repairs({"resolved": [2, 4], "overfitted": [6]}, "cold", run))
    store.add_repairs(repairs({"plausible": [1]}, "trained", run))
    store.add_repairs(repairs({"plausible": [3]}, "solve", None))
    improvement = SelfImprovementManager(store)
    first, second = improvement.rounds()
    (cold,) = first.repairs
    assert (cold.tasks, cold.repaired.value) == (2, 0.5)
    assert cold.candidates_per_repair.value == 100
    assert [figures.mode for figures in second.repairs] == ["cold", "trained"]
    assert second.repairs[0].candidates_median.value == 4
    assert [(each.mode, each.tasks) for each in improvement.repairs()] == [
        ("cold", 5), ("solve", 1), ("trained", 1)
    ]  # fmt: skip


def test_two_models_of_one_mode_are_told_apart(store: Store):
    rows = repairs({"resolved": [5, 7], "unrepaired": [90]}, "validation", 1)
    model = store.begin_model(
        "code", {}, generator_id=None, parent=None, stage_run_id=1, code_version="0"
    ).id
    store.add_repairs([replace(rows[0], model_id=model), *rows[1:]])
    apart = SelfImprovementManager(store).repairs(1)
    assert [(one.model, one.tasks) for one in apart] == [(None, 2), (model, 1)]
    assert apart[1].candidates_per_repair.value == 5
    assert SelfImprovementManager(store).repairs(2) == []


def test_the_figures_of_a_mode():
    rows = repairs(
        {
            "resolved": [5] * 6,
            "overfitted": [20] * 2,
            "plausible": [8],
            "unrepaired": [50] * 10,
            "failed": [0],
            "unjudged": [1],
        },
        "trained",
        1,
    )
    (figures,) = repair_figures(rows)
    assert figures.tasks == 21
    assert (figures.repaired.value, figures.repaired.n) == (9 / 20, 20)
    assert figures.resolved.value == 6 / 20
    assert (figures.correct.value, figures.correct.n) == (6 / 8, 8)
    per_repair = figures.candidates_per_repair
    assert per_repair.value == pytest.approx((30 + 40 + 8 + 500) / 9)
    assert per_repair.low < per_repair.value < per_repair.high
    assert figures.candidates_median.value == 5
    assert repair_figures(rows) == [figures]  # no chance in it


def test_where_nothing_was_repaired_the_figures_say_so(store: Store):
    (figures,) = repair_figures(repairs({"unrepaired": [5, 6]}, "cold", 1))
    assert figures.repaired.value == 0.0
    assert figures.candidates_per_repair.value is None
    assert figures.candidates_median.n == 0
    assert SelfImprovementManager(None).rounds() == SelfImprovementManager().versions() == []
    assert SelfImprovementManager(store).repairs() == []


def test_the_json_form_has_every_figure_with_its_interval(store: Store):
    store.add_repairs(repairs({"resolved": [10, 20]}, "cold", 1))
    (row,) = (figures.to_json() for figures in SelfImprovementManager(store).rounds())
    row = json.loads(json.dumps(row))
    assert (row["round"], row["facts"]) == (1, 0)
    (cold,) = row["repairs"]
    assert cold["mode"] == "cold"
    assert set(cold["candidates_per_repair"]) == {"value", "low", "high", "n"}


def test_the_versions_of_all_memories(store: Store):
    manager(store, memory="b").consolidate(facts(0, 1), stage_run_id=1)
    manager(store, memory="a").consolidate(facts(0, 1))
    assert [(row.memory, row.version) for row in SelfImprovementManager(store).versions()] == [
        ("a", 1),
        ("b", 1),
    ]
