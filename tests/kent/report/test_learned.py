"""What the memory learned, and repairs as diffs: the document and its sections."""

import pytest

from kent.report import build, render_html
from memory.hologram.self_improvement import SelfImprovementManager
from memory.store import Store
from tests.kent.report.filling import add_round
from tests.kent.report.learning import add_learned


def filled(store: Store, **more) -> dict:
    add_round(store)
    add_learned(store, 1, **more)
    return build(store)


def test_an_empty_memory_is_told_by_no_section(store: Store):
    add_round(store)
    document = build(store)
    assert not any(document["learned"]["counts"].values())
    assert document["learned"]["saved"] is document["learned"]["ablation"] is None
    assert document["repairs"] == []
    assert 'id="learned"' not in render_html(document)
    assert 'id="repairs"' not in render_html(document)


def test_patterns_are_ordered_by_what_is_sure_of_their_success(store: Store):
    patterns = filled(store)["learned"]["patterns"]
    # Two of three end at 0.208 below, one of one at 0.207; what never succeeded is no pattern.
    assert [(row["text"], row["rate"]["n"]) for row in patterns] == [
        ("Sub -> Add", 3),
        ("rewrite (python loop)", 1),
    ]
    lows = [row["rate"]["low"] for row in patterns]
    assert lows == sorted(lows, reverse=True)


def test_constraints_count_what_only_failed(store: Store):
    (row,) = filled(store)["learned"]["constraints"]
    assert (row["operator"], row["failures"], row["contexts"], row["tasks"]) == ("lost", 3, 3, 1)
    assert row["nearest"] == 0.25


def test_the_work_saved_is_of_the_same_tasks_in_both_orders(store: Store):
    saved = filled(store, splits=("validation", "test"))["learned"]["saved"]
    assert saved["split"] == "test"
    assert saved["tasks"] == 3  # the fourth was judged by no test
    assert saved["learned"]["programs"] == 108
    assert saved["untrained"]["programs"] == 230
    assert saved["learned"]["resolved"]["value"] == pytest.approx(2 / 3)
    assert saved["untrained"]["resolved"]["value"] == pytest.approx(1 / 3)


def test_what_is_told_by_round_is_what_the_memory_says_of_itself(store: Store):
    document = filled(store, splits=("validation", "test"))
    add_round(store)
    told, memory = build(store)["learned"], SelfImprovementManager(store)
    assert [row["round"] for row in told["rounds"]] == [1, 2]
    said = list(memory.learned().values())
    assert [{key: row[key] for key in said[0]} for row in told["rounds"]] == said
    # The counts of the tables are what was known by the end of the last round.
    tables = {"patterns": "patterns", "evidence": "pattern_evidence", "facts": "facts",
              "attempts": "constraints", "observations": "observations"}  # fmt: skip
    assert {name: told["counts"][table] for name, table in tables.items()} == said[-1]
    assert told["last"]["round"] == 1  # the second repaired nothing
    assert told["last"]["repairs"] == [one.to_json() for one in memory.repairs(1)]
    # The work saved is of the same repairs.
    by_mode = {one["mode"]: one for one in told["last"]["repairs"]}
    for mode, side in (("test", "learned"), ("test, untrained", "untrained")):
        mine, saved = by_mode[mode], told["saved"][side]
        assert mine["resolved"] == saved["resolved"]
        repaired = mine["repaired"]["value"] * mine["repaired"]["n"]
        assert mine["candidates_per_repair"]["value"] * repaired == saved["programs"]
    html = render_html(document)
    assert "Known by the end of each round" in html
    assert "Repairs of round 1" in html


def test_the_ablation_is_the_benchmarks(store: Store):
    figure = {"value": 40.0, "low": 30.0, "high": 60.0, "n": 9}
    rate = {"value": 0.5, "low": 0.2, "high": 0.8, "n": 20}
    full = {"median_candidates": figure, "resolved": rate}
    without = {"median_candidates": {**figure, "value": 90.0}, "resolved": rate}
    round_id = store.open_round(seed=1, config={}, code_version="0").id
    run = store.begin_stage_run(round_id, "CodeBenchmark", pid=1, pid_start=1.0).id
    metrics = {"isolated": full, "ablation": {"without constraints": without}}
    store.end_stage_run(run, "done", metrics=metrics)
    found = build(store)["learned"]["ablation"]
    assert found["with"]["median_candidates"]["value"] == 40.0
    assert found["without"]["median_candidates"]["value"] == 90.0
    assert found["round"] == round_id
    add_learned(store, run)
    assert "What the constraints saved" in render_html(build(store))


def test_a_repair_is_a_diff_without_comments(store: Store):
    document = filled(store)
    (row,) = document["repairs"]
    assert row["diff"][1:] == [" def f(a, b):", "-    return a - b", "+    return a + b"]
    assert (row["verdict"], row["how"], row["removed"], row["added"]) == ("failed", "rewrite", 1, 1)
    html = render_html(document)
    assert '<span class="del">−     return a - b</span>' in html
    assert "made by the repair loop" in html


def test_learned_text_is_escaped(store: Store):
    html = render_html(filled(store, text="<script>x</script>"))
    assert "<script" not in html
    assert html.count("&lt;script&gt;x&lt;/script&gt;") >= 2
