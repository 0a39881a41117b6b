"""The document: its contract, and that each figure is what the rows say."""

import json

import pytest

from kent.report import build, queries
from memory.store import Store
from tests.kent.report.filling import NAMES, add_problems, add_round, figures

KEYS = ("status", "error", "seconds", "generator", "critic", "protocol", "problem_set")


def critic(document, index=-1):
    return document["rounds"][index]["stages"]["critic"]


def test_the_contract_of_the_json_document(store: Store):
    for _ in range(3):
        add_round(store, samples=True)
    document = build(store)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert {"rounds", "promotions", "totals", "change", "running"} <= document.keys()
    for row in document["rounds"]:
        assert {
            "id",
            "status",
            "started_at",
            "finished_at",
            "profile",
            "code_version",
        } <= row.keys()
        assert row["profile"] == "cpu"
        stage = row["stages"]["critic"]
        for name in (*NAMES, "n_problems", "n_samples"):
            assert stage[name].keys() == {"value", "low", "high", "n"}, name
        assert all(key in stage for key in KEYS)
        assert (stage["generator"], stage["problem_set"]) == ("gen", "mbpp")


def test_figures_are_those_of_the_test_evaluation_of_the_round(store: Store):
    ids = [add_round(store) for _ in range(3)]
    document = build(store)
    for index, round_id in enumerate(ids):
        stage = critic(document, index)
        assert {name: stage[name] for name in NAMES} == {
            name: figure.to_json() for name, figure in figures(round_id).items()
        }
        assert stage["n_problems"] == {"value": 100, "low": 100, "high": 100, "n": 100}
        assert stage["n_samples"] == {"value": 400, "low": 400, "high": 400, "n": 400}
        assert [other["problem_set"] for other in stage["other_evaluations"]] == ["humaneval"]


def test_provenance_leads_to_the_rows(store: Store):
    add_round(store)
    stage = critic(build(store))
    for name in NAMES:
        origin = stage["provenance"][name]
        (row,) = store.query("SELECT * FROM evaluations WHERE id = ?", (origin["evaluation"],))
        assert (row["metric"], row["value"], row["split"]) == (name, stage[name]["value"], "test")
        assert (row["model_id"], row["stage_run_id"]) == (origin["model"], origin["stage_run"])


def test_figures_without_an_evaluation_come_from_the_metrics_of_the_stage(store: Store):
    """Where no critic could be trained the stage still measures what selection could win."""
    add_round(store, end="skipped", baseline_pass1=figures(5)["baseline_pass1"].to_json(),
              critic=None, notes=["no critic was trained"])  # fmt: skip
    stage = critic(build(store))
    assert stage["baseline_pass1"] == figures(5)["baseline_pass1"].to_json()
    assert stage["verifier_pass1"] == {"value": None, "low": None, "high": None, "n": 0}
    assert stage["critic"] is None
    assert stage["provenance"]["baseline_pass1"]["evaluation"] is None


def test_an_empty_store_gives_a_whole_document(store: Store):
    document = build(store)
    assert document["rounds"] == document["promotions"] == []
    assert document["running"] is None
    assert document["change"] == {}
    totals = document["totals"]
    assert totals["samples"] == totals["tokens"] == totals["verdicts_total"] == 0
    assert set(totals["verdicts"].values()) == {0}
    json.dumps(document, allow_nan=False)


def test_a_running_round_tells_its_progress_and_heartbeat(store: Store):
    add_round(store)
    round_id = store.open_round(seed=1, config={}, code_version="2").id
    waiting = build(store)["running"]
    assert (waiting["round"], waiting["stage"]) == (round_id, None)
    run = store.begin_stage_run(round_id, "critic", pid=1, pid_start=1.0)
    store.beat(run.id, "sample", 3, 12, "problems")
    (beat,) = store.query("SELECT heartbeat_at AS at FROM stage_runs WHERE id = ?", (run.id,))
    running = build(store, now=beat["at"] + 7)["running"]
    assert (running["round"], running["stage"], running["stage_run"]) == (
        round_id,
        "critic",
        run.id,
    )
    assert (running["phase"], running["done"], running["total"]) == ("sample", 3, 12)
    assert running["heartbeat_age_s"] == pytest.approx(7)
    assert critic(build(store))["status"] == "running"
    assert critic(build(store))["gap_closed"]["value"] is None


def test_a_failed_stage_keeps_its_reason_and_the_others_their_figures(store: Store):
    add_round(store)
    add_round(store, end="failed", error="no weights", close="failed")
    document = build(store)
    assert critic(document)["status"] == "failed"
    assert critic(document)["error"] == "no weights"
    assert critic(document)["verifier_pass1"]["value"] is None
    assert critic(document, 0)["verifier_pass1"]["value"] is not None


def test_a_second_attempt_goes_on_where_the_first_was_cut(store: Store):
    """The first attempt measured and was killed; the second found that and only ended."""
    round_id = store.open_round(seed=1, config={"profile": "cpu"}, code_version="0").id
    first = store.begin_stage_run(round_id, "critic", pid=1, pid_start=1.0).id
    model = store.begin_model("critic", {}, generator_id="gen", parent=None, stage_run_id=first,
                              code_version="0")  # fmt: skip
    store.add_evaluation(first, model.id, "mbpp", "test", "visible1/v1", figures(1))
    store.end_stage_run(first, "killed")
    second = store.begin_stage_run(round_id, "critic", pid=2, pid_start=2.0).id
    store.end_stage_run(second, "done", metrics={"n_problems": 7, "generator": "gen"})
    stage = critic(build(store))
    assert (stage["status"], stage["attempts"]) == ("done", 2)
    assert stage["n_problems"]["value"] == 7
    assert stage["gap_closed"] == figures(1)["gap_closed"].to_json()
    assert stage["provenance"]["gap_closed"]["stage_run"] == first


def test_change_is_the_difference_of_values_where_nothing_is_paired(store: Store):
    for _ in range(3):
        add_round(store)
    change = build(store)["change"]["critic"]["verifier_pass1"]
    assert change["since_first"]["value"] == pytest.approx(0.02)
    assert change["since_last"]["value"] == pytest.approx(0.01)
    for side, start in (("since_first", 1), ("since_last", 2)):
        assert change[side]["method"] == "unpaired"
        assert (change[side]["from_round"], change[side]["to_round"]) == (start, 3)
        assert change[side]["low"] is change[side]["high"] is None


def test_change_has_an_interval_where_the_same_problems_are_paired(store: Store):
    for _ in range(2):
        add_round(store, paired=True)
    document = build(store)
    change = document["change"]["critic"]
    for name in ("verifier_pass1", "baseline_pass1"):
        found = change[name]["since_last"]
        values = [critic(document, i)[name]["value"] for i in (0, 1)]
        assert found["method"] == "paired"
        assert found["value"] == pytest.approx(values[1] - values[0])
        assert found["low"] <= found["value"] <= found["high"]
        assert found["n"] == 40
    assert change["auc_within_problem"]["since_last"]["method"] == "unpaired"


def test_outcomes_that_do_not_give_the_figure_are_not_paired(store: Store):
    for _ in range(2):
        add_round(store, paired=True)
    # The gap closed of these rounds is not that of their outcomes.
    assert build(store)["change"]["critic"]["gap_closed"]["since_last"]["method"] == "unpaired"


def test_rounds_on_other_problems_are_not_compared(store: Store):
    add_round(store)
    add_round(store, problem_set="basics")
    change = build(store)["change"]["critic"]["gap_closed"]["since_first"]
    assert change["method"] == "not comparable"
    assert change["value"] is None
    assert "problem set" in change["note"]


def test_one_round_has_no_change(store: Store):
    add_round(store)
    change = build(store)["change"]["critic"]["gap_closed"]
    assert change == {"since_first": None, "since_last": None}


def test_totals_count_the_rows(store: Store):
    for _ in range(2):
        add_round(store, samples=True, decision="promoted")
    totals = build(store)["totals"]
    assert totals["samples"] == 96
    assert totals["tokens"] == sum(10 + i for i in range(4)) * 24
    assert totals["distinct_programs"] == 48
    assert totals["verdicts"]["passed"] == 12
    assert totals["verdicts"]["failed"] == 24
    assert totals["verdicts_total"] == 48
    assert totals["problems"] == {"test": 3, "train": 6, "validation": 3}
    assert totals["models"]["by_status"] == {"champion": 1, "retired": 1}
    assert totals["models"]["champions"] == {"critic": "critic-0002"}
    assert totals["hours"] == pytest.approx(totals["hours_by_stage"]["critic"])


def test_promotions_carry_the_test_behind_them(store: Store):
    add_round(store, decision="promoted", reason="first")
    add_round(store, decision="kept", reason="no better")
    first, second = build(store)["promotions"]
    assert (first["round"], first["decision"], first["champion"]) == (1, "promoted", None)
    assert (second["decision"], second["champion"]) == ("kept", first["candidate"])
    assert second["effect"] == {"value": 0.031, "low": 0.004, "high": 0.06, "n": 90}
    assert (second["p_value"], second["alpha"], second["looks"]) == (0.012, 0.05, 1)


def test_an_act_by_hand_has_no_round_and_no_test_behind_it(store: Store):
    add_round(store, decision="promoted")
    add_round(store, decision="promoted")
    store.promote_by_hand(
        "critic-0001", replacing="critic-0002", decision="rolled_back", reason="slow"
    )
    store.mark_stale("critic-0001", "its generator changed from a to b")
    document = build(store)
    gate, _, hand = document["promotions"]
    assert (gate["actor"], gate["figures"], gate["alternative"]) == ("gate", {}, {})
    assert (hand["actor"], hand["decision"], hand["champion"]) == (
        "hand",
        "rolled_back",
        "critic-0002",
    )
    assert hand["round"] is hand["stage"] is hand["alpha"] is hand["p_value"] is None
    assert hand["provenance"] == {"promotion": 3, "stage_run": None}
    assert hand["effect"] == {"value": None, "low": None, "high": None, "n": 0}
    models = document["totals"]["models"]
    assert models["champions"] == {"critic": "critic-0001"}
    assert models["stale"] == {"critic-0001": "its generator changed from a to b"}


def test_promotions_carry_what_both_sides_measured(store: Store):
    add_round(store)
    measured = {"verifier_pass1": figures(1)["verifier_pass1"].to_json()}
    store.promote("critic-0001", 1, decision="kept", effect=figures(1)["ece"], p_value=None,
                  alpha=0.05, looks=1, reason="r", figures=measured,
                  alternative={"name": "shortest"})  # fmt: skip
    (row,) = build(store)["promotions"]
    assert (row["figures"], row["alternative"]) == (measured, {"name": "shortest"})


def test_a_stage_without_a_view_of_its_own_is_reported_by_its_metrics(store: Store):
    round_id = store.open_round(seed=1, config={}, code_version="0").id
    run = store.begin_stage_run(round_id, "code", pid=1, pid_start=1.0).id
    model = store.begin_model("code", {}, generator_id=None, parent=None, stage_run_id=run,
                              code_version="0").id  # fmt: skip
    store.add_evaluation(run, model, "swe", "test", "v1", {"solved": figures(1)["ece"]})
    store.end_stage_run(run, "done")
    stage = build(store)["rounds"][0]["stages"]["code"]
    assert stage["solved"] == figures(1)["ece"].to_json()
    assert stage["code"] == model


def test_the_large_tables_are_read_through_indexes(store: Store):
    add_problems(store)
    asked: list[str] = []

    class Listening:
        def query(self, sql, params=()):
            asked.append(sql)
            return store.query(sql, params)

    for ask in (queries.samples_by_run, queries.verdicts_by_word, queries.distinct_programs):
        ask(Listening())
    for sql in asked:
        plan = [row["detail"] for row in store.query(f"EXPLAIN QUERY PLAN {sql}")]
        scans = [line for line in plan if line.startswith(("SCAN samples", "SCAN verdicts"))]
        assert scans, plan
        assert all("COVERING INDEX" in line for line in scans), plan
