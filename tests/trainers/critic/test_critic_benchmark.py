"""The benchmark: every picker with its interval, on stored samples; nothing is trained."""

import json
from dataclasses import replace
from statistics import fmean

import pytest
from scripted import context_in
from scripted_stage import SETTINGS, basics_programs, scripted_stage

from trainers.critic.benchmark import CriticBenchmark
from trainers.critic.pickers import PICKERS
from trainers.errors import BenchmarkError

FIGURES = (
    "auc_within_problem", "ece_before", "ece_after", "val_accuracy_by_problem",
    "val_accuracy_by_sample", "critic_over_logprob", "critic_over_logprob_best_of_k",
)  # fmt: skip


def run(folder, stage, settings=SETTINGS):
    context = context_in(folder, settings)
    metrics = stage.run(context).metrics
    context.store.end_stage_run(context.stage_run_id, "done", metrics=metrics)
    context.store.close_round(context.round_id, "done")
    return metrics, context.store


@pytest.fixture(scope="module")
def measured(tmp_path_factory, tiny_folder):
    folder = tmp_path_factory.mktemp("state")
    stage, generator = scripted_stage(tiny_folder)
    _, store = run(folder, stage)
    generator.asked.clear()
    before = [store.models("critic"), store.query("SELECT * FROM promotions")]
    wanted = SETTINGS.benchmark.model_copy(update={"ablation": True})
    settings = SETTINGS.model_copy(update={"benchmark": wanted})
    benchmark = CriticBenchmark(stage._engines.generator, stage._engines.features)
    metrics, store = run(folder, benchmark, settings)
    after = [store.models("critic"), store.query("SELECT * FROM promotions")]
    return metrics, generator, before, after


def test_every_picker_and_figure_is_there_with_its_interval(measured):
    metrics, *_ = measured
    json.dumps(metrics)
    (result,) = metrics["results"]
    assert (result["test_set"], result["protocol"]) == ("basics", "visible1")
    assert (result["generator"], result["critic"]) == ("scripted/1", "critic-0001")
    for group in ("pickers", "gap_closed"):
        assert tuple(result[group]) == PICKERS
        for figure in result[group].values():
            assert figure.keys() == {"value", "low", "high", "n"}
            assert figure["n"] == 6
    for name in FIGURES:
        assert result[name].keys() == {"value", "low", "high", "n"}
    pickers = {name: figure["value"] for name, figure in result["pickers"].items()}
    assert pickers["random"] <= pickers["visible"] <= pickers["oracle"]
    by_problem = result["items"]
    assert by_problem["picked"].keys() == by_problem["random"].keys()
    assert fmean(by_problem["random"].values()) == pytest.approx(pickers["random"])
    assert all(value is None or value <= pickers["oracle"] for value in pickers.values())
    won = pickers["critic"] - pickers["logprob"]
    assert result["critic_over_logprob"]["value"] == pytest.approx(won)


def test_nothing_is_sampled_again_trained_or_decided(measured):
    _, generator, before, after = measured
    assert generator.asked == []
    assert before == after


def test_the_ablation_and_the_speed_are_measured(measured):
    metrics, *_ = measured
    tables = metrics["ablation"]["visible1"]
    assert tables.keys() == {
        "train_problems", "features", "loss", "balanced", "mining", "sampling",
    }  # fmt: skip
    for table in tables.values():
        for row in table.values():
            assert row.keys() == {"validation_gain", "gap_closed", "auc_within_problem"}
    assert "scalars alone" in tables["features"]
    assert metrics["speed"]["programs_per_s"] > 0
    assert metrics["speed"]["cached_programs_per_s"] > 0
    assert sum(metrics["round_share"].values()) == pytest.approx(1, abs=0.01)


def test_more_samples_are_drawn_where_they_are_asked_for(tmp_path, tiny_folder):
    stage, generator = scripted_stage(tiny_folder)
    run(tmp_path, stage)
    generator.asked.clear()
    wanted = SETTINGS.benchmark.model_copy(update={"samples": 6})
    settings = SETTINGS.model_copy(update={"benchmark": wanted})
    metrics, _ = run(
        tmp_path, CriticBenchmark(stage._engines.generator, stage._engines.features), settings
    )
    assert [n for _, n in generator.asked] == [2] * 6
    assert metrics["results"][0]["n_samples"] == 36


def test_without_a_critic_there_is_one_clear_line(tmp_path, tiny_folder):
    stage, _ = scripted_stage(tiny_folder, basics_programs(SETTINGS))
    benchmark = CriticBenchmark(stage._engines.generator, stage._engines.features)
    with pytest.raises(BenchmarkError, match="kent round critic"):
        benchmark.run(context_in(tmp_path, SETTINGS))


def test_a_critic_of_another_protocol_is_not_used(tmp_path, tiny_folder):
    stage, _ = scripted_stage(tiny_folder)
    run(tmp_path, stage)
    wanted = SETTINGS.benchmark.model_copy(update={"protocols": ("seed",)})
    context = context_in(tmp_path, SETTINGS.model_copy(update={"benchmark": wanted}))
    benchmark = CriticBenchmark(stage._engines.generator, stage._engines.features)
    with pytest.raises(BenchmarkError, match="critic-seed"):
        benchmark.run(replace(context))
