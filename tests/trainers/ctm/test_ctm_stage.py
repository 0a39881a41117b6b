"""Rounds of the CTM stage on a small data set: they go on, register versions and pass the gate."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import packages

from memory.maintenance import verify
from memory.records import SampleRow, VerdictRow
from memory.store import Store
from trainers.config import TrainerSettings
from trainers.ctm import preparation, versions
from trainers.ctm.checkpoint import checkpoints, read_state
from trainers.ctm.curriculum import curriculum
from trainers.ctm.preparation import WORK
from trainers.ctm.reading import Reading
from trainers.ctm.stage import CTMStage
from trainers.ctm_settings import CTMSettings
from trainers.errors import CheckpointError
from trainers.samples import program_hash
from trainers.stage import StageContext, Stopped

TICKS = curriculum("cpu")[0].iterations


def settings(data: Path) -> TrainerSettings:
    return TrainerSettings(
        ctm=CTMSettings(
            preset="tiny", curriculum="cpu", curriculum_share=0.01, data=str(data), batch_size=4,
            seconds=600, samples=8, eval_samples=6, tick_samples=2,
        )
    )  # fmt: skip


def context_in(folder: Path, data: Path) -> StageContext:
    store = Store.open(folder / "kent.db")
    round_id = store.open_round(seed=1, config={}, code_version="0").id
    run = store.begin_stage_run(round_id, "ctm", pid=None, pid_start=None)
    return StageContext(store, settings(data), folder, round_id, run.id, seed=1)


def finish(context: StageContext):
    metrics = CTMStage().run(context).metrics
    context.store.end_stage_run(context.stage_run_id, "done", metrics=metrics)
    context.store.close_round(context.round_id, "done")
    return metrics


@pytest.fixture(scope="module")
def rounds(tmp_path_factory, built):
    folder = tmp_path_factory.mktemp("state")
    first = finish(context_in(folder, built))
    context = context_in(folder, built)
    return folder, first, finish(context), context.store


def test_rounds_go_on_where_the_last_one_stopped(rounds):
    folder, first, second, store = rounds
    json.dumps(first)
    assert first["training"]["samples"] == 8
    assert second["training"]["samples"] == 16
    assert read_state(checkpoints(folder / WORK)[-1])[0].samples == 16
    assert [row.id for row in store.models("ctm")] == ["ctm-0001", "ctm-0002"]
    assert verify(folder) == []


def test_a_round_ends_with_the_last_stage_and_the_next_one_begins_another_pass(tmp_path, built):
    short = {"curriculum_share": 0.0001, "samples": 500, "repair_pairs": False}
    context = context_in(tmp_path, built)
    ctm = context.settings.ctm.model_copy(update=short)
    changed = context.settings.model_copy(update={"ctm": ctm})
    told = finish(replace(context, settings=changed))["training"]
    assert (told["stage"], told["stage_step"]) == (4, told["stage_steps"])
    assert told["samples"] < 500
    state = read_state(checkpoints(tmp_path / WORK)[-1])[0]
    assert state.passes == 0
    again = finish(replace(context_in(tmp_path, built), settings=changed))["training"]
    assert again["samples"] > told["samples"]
    assert (again["stage"], again["stage_step"]) == (4, again["stage_steps"])


def test_every_set_has_its_figures_and_the_gate_its_reason(rounds):
    _, first, second, store = rounds
    for split in ("validation", "test_files", "test_packages"):
        assert first[split]["fix_accuracy"].keys() == {"value", "low", "high", "n"}
        assert len(second[split]["fix_accuracy_by_tick"]) == TICKS
        assert second[split]["ece_before"]["n"] == 6
    assert second["analysis"]["ticks"] == TICKS
    assert second["reliability"] == second["test_packages"]["reliability"]
    reasons = [row["reason"] for row in store.query("SELECT reason FROM promotions")]
    assert len(reasons) == 2
    assert "copying the input on 6 validation programs" in reasons[0].replace(
        "problems", "programs"
    )


def test_a_version_is_loaded_as_it_was_saved_and_a_changed_one_is_refused(rounds):
    folder, _, _, store = rounds
    row = store.model("ctm-0001")
    loaded = versions.load(folder, row)
    assert loaded.model.config.iterations == TICKS
    assert loaded.reading == Reading.from_json(row.config["reading"])
    assert loaded.repairer().threshold == loaded.reading.threshold
    weights = folder / "checkpoints" / "ctm-0001" / "model.safetensors"
    kept = weights.read_bytes()
    weights.write_bytes(kept[:-1] + b"x")
    with pytest.raises(CheckpointError, match="missing or changed"):
        versions.load(folder, row)
    weights.write_bytes(kept)


def test_a_round_that_was_cut_trains_only_what_is_left(tmp_path, built):
    context = context_in(tmp_path, built)
    context.stop_requested = lambda: context.progress.phase == "train" and context.progress.done > 0
    with pytest.raises(Stopped):
        CTMStage().run(context)
    assert read_state(checkpoints(tmp_path / WORK)[-1])[0].samples == 4
    context.stop_requested = lambda: context.progress.phase == "repair validation"
    with pytest.raises(Stopped):
        CTMStage().run(context)
    context.stop_requested = lambda: False
    metrics = CTMStage().run(context).metrics
    assert metrics["training"] == {"resumed": "ctm-0001"}
    assert read_state(checkpoints(tmp_path / WORK)[-1])[0].samples == 8


def test_the_stores_repair_pairs_are_trained_on_and_recorded(tmp_path, built):
    from scripted import adder

    context = context_in(tmp_path, built)
    store, run_id = context.store, context.stage_run_id
    problem = adder(2)
    store.add_problems([problem], "by hand")
    codes = {
        "failed": "def add(x):\n    total = x - 2\n    return total\n",
        "passed": "def add(x):\n    total = x + 2\n    return total\n",
    }
    store.add_samples([
        SampleRow(problem.id, "g", "v", {}, "h", n, 0, code, code, program_hash(code), 1, None,
                  "stop", run_id)
        for n, code in enumerate(codes.values())
    ])  # fmt: skip
    store.add_verdicts([
        VerdictRow(program_hash(code), problem.tests_hash, "1", "A", word, None, 0.1, 0.1, 1.0,
                   stage_run_id=run_id)
        for word, code in codes.items()
    ])  # fmt: skip
    assert store.derive_repair_pairs() == 1
    finish(context)
    recorded = store.query(
        "SELECT s.code, v.verdict FROM training_examples t JOIN samples s ON s.id = t.sample_id "
        "JOIN verdicts v ON v.id = t.verdict_id WHERE t.model_id = 'ctm-0001' ORDER BY v.verdict"
    )
    assert {row["verdict"]: row["code"] for row in recorded} == codes


def test_the_data_grow_with_the_versions_to_a_limit(tmp_path, built):
    sizes = {"data": "", "data_samples": 120, "data_growth": 80, "data_most": 240}
    found = []
    for _ in range(3):
        context = context_in(tmp_path, built)
        context.settings = TrainerSettings(ctm=CTMSettings(vocabulary=1024, **sizes))
        before = len(preparation.data_of(context, packages()).split("train"))
        context.store.begin_model(
            "ctm", {}, generator_id=None, parent=None, stage_run_id=context.stage_run_id,
            code_version="0",
        )  # fmt: skip
        found.append(before)
        context.store.close_round(context.round_id, "done")
    assert found == [120, 200, 240]
