"""A round of the code stage, with the real sandbox and store, on programs that are one off."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from code_rounds import SETTINGS, context_in, off_by_one, run_round

from memory.hologram.self_improvement import SelfImprovementManager
from memory.maintenance import verify
from trainers.code_trainer.benchmark_stage import CodeBenchmark
from trainers.code_trainer.stage import CodeStage
from trainers.errors import BenchmarkError, CheckpointError
from trainers.stage import Stopped
from trainers.tasks.swe.loading import to_row

FIGURES = (
    "file_acc1", "file_acc3", "file_acc5", "function_acc1", "function_acc5", "operation_acc",
    "exact", "normalised", "resolved", "candidates_per_repair", "latency_s",
)  # fmt: skip


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    folder = tmp_path_factory.mktemp("state")
    return folder, *run_round(folder, CodeStage())


def test_a_round_repairs_unseen_programs_by_what_the_train_fixes_showed(first):
    _, metrics, _ = first
    json.dumps(metrics)
    assert metrics["resolved"]["value"] == 1
    assert metrics["resolved"]["n"] == metrics["n_tasks"] == 4
    assert metrics["median_candidates"]["value"] <= metrics["cold.median_candidates"]["value"]
    assert metrics["practice"]["tried"] == 3
    assert metrics["learned"]["patterns"] > 0
    assert metrics["learned"]["facts"] > 0


def test_the_learning_curve_is_what_the_memory_says_of_the_same_tasks(first):
    _, metrics, store = first
    (figures,) = (round_.repairs for round_ in SelfImprovementManager(store).rounds()[:1])
    said = {(one.mode, one.model): one for one in figures}
    ours, cold = said["validation", "code-0001"], said["validation, untrained", None]
    assert metrics["learning.tasks"] == ours.tasks == cold.tasks == 4
    for side, one in (("", ours), ("cold.", cold)):
        assert metrics[f"learning.{side}candidates"] == one.candidates_per_repair.to_json()
        assert metrics[f"learning.{side}repaired"]["value"] == one.repaired.value
    assert metrics["learning.candidates"]["value"] <= metrics["learning.cold.candidates"]["value"]
    assert metrics["learning.file_acc1"]["n"] == 0  # programs have no file to find


def test_what_was_learned_is_in_the_store_and_whole(first):
    folder, _, store = first
    (row,) = store.models("code")
    assert store.training_tasks(row.id) == {
        "train/limit", "train/order", "train/price", "train/label",
    }  # fmt: skip
    assert verify(folder) == []
    modes = {repair.mode for repair in store.repairs()}
    assert {"train", "validation", "test"} <= modes
    assert store.observation_counts()


def test_the_benchmark_gives_every_figure_of_every_mode(first):
    folder, _, _ = first
    metrics, _ = run_round(folder, CodeBenchmark())
    for mode in ("isolated", "cold", "shared_cache", "bm25"):
        for name in FIGURES:
            assert metrics[mode][name].keys() == {"value", "low", "high", "n"}
    assert metrics["isolated"]["resolved"]["value"] == 1
    assert metrics["model"] == "code-0001"


def test_the_benchmark_measures_only_what_came_after_a_date(tmp_path):
    context = context_in(tmp_path)
    days = {"early": "2019-06-01", "late": "2021-06-01"}
    tasks = [
        replace(
            off_by_one(name, 3, "test"),
            base_date=datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp(),
        )
        for name, day in days.items()
    ]
    context.store.add_swe_tasks(to_row(task, "by hand") for task in tasks)
    context.store.close_round(context.round_id, "failed")
    only = SETTINGS.benchmark.model_copy(update={"date_after": "2020-01-01", "modes": ("bm25",)})
    settings = SETTINGS.model_copy(update={"benchmark": only})
    metrics, _ = run_round(tmp_path, CodeBenchmark(), settings)
    assert metrics["n_tasks"] == 1  # those of no date are not known to come after
    with pytest.raises(BenchmarkError, match="after 2022-01-01 has no test task"):
        never = SETTINGS.benchmark.model_copy(update={"date_after": "2022-01-01"})
        run_round(tmp_path, CodeBenchmark(), SETTINGS.model_copy(update={"benchmark": never}))


def test_the_benchmark_refuses_tasks_that_were_learned_from(first):
    folder, _, store = first
    context = context_in(folder)
    seen = off_by_one("limit", 2, "train")
    from trainers.code_trainer.benchmark import HonestCodeBenchmark

    bench = HonestCodeBenchmark(context, store.model("code-0001"))
    with pytest.raises(BenchmarkError, match="1 of the tasks were learned from"):
        bench.evaluate([seen])
    store.close_round(context.round_id, "failed")


def test_a_round_that_was_cut_goes_on_and_repeats_nothing(tmp_path):
    context = context_in(tmp_path)
    context.stop_requested = lambda: len(context.store.repairs(mode="train")) >= 2
    with pytest.raises(Stopped):
        CodeStage().run(context)
    tried = [row.task_id for row in context.store.repairs(mode="train")]
    assert len(tried) == 2
    assert {fact.task_id for fact in context.store.facts("code")} == set(tried)
    context.stop_requested = lambda: False
    metrics = CodeStage().run(context).metrics
    assert metrics["practice"]["tried"] == 3
    assert len(context.store.repairs(mode="train")) == 3
    assert len(context.store.models("code")) == 1


def test_a_damaged_version_is_told_with_what_to_do(tmp_path):
    _, store = run_round(tmp_path, CodeStage())
    store.set_model_status("code-0001", "candidate")
    store.set_model_status("code-0001", "champion")
    (tmp_path / "checkpoints" / "code-0001" / "priors.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"priors\.json is missing or changed"):
        run_round(tmp_path, CodeStage())


def test_a_task_that_cannot_be_worked_on_is_told_and_the_others_go_on(tmp_path):
    context = context_in(tmp_path)
    broken = off_by_one("broken", 3, "test")
    bad = type(broken)(**{**vars(broken), "code_before": {"broken.py": "def broken(:\n"}})
    context.store.add_swe_tasks([to_row(bad, "by hand")])
    metrics = CodeStage().run(context).metrics
    assert metrics["resolved"]["n"] == 5
    assert metrics["resolved"]["value"] == pytest.approx(0.8)
