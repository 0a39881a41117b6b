"""The benchmark of the CTM and its controls: every figure of every model, and the table of it."""

import json

import pytest

from kent.benchmark_ctm import in_lines, write_plots
from memory.store import Store
from trainers.config import BenchmarkConfig, TrainerSettings
from trainers.ctm.benchmark import CTMBenchmark
from trainers.ctm_settings import CTMSettings
from trainers.stage import StageContext

FIGURES = (
    "fix_accuracy", "executed_fix_accuracy", "clean_kept", "token_accuracy", "ece", "auroc",
    "localisation_acc1", "samples_per_s", "ece_before", "fix_accuracy_several",
)  # fmt: skip


@pytest.fixture(scope="module")
def document(tmp_path_factory, built):
    folder = tmp_path_factory.mktemp("bench")
    settings = TrainerSettings(
        ctm=CTMSettings(
            preset="tiny",
            data=str(built),
            batch_size=2,
            eval_samples=6,
            tick_samples=2,
            curriculum="cpu",
        ),
        benchmark=BenchmarkConfig(ctm_models=("ctm", "backbone"), ctm_seconds=0.5),
    )
    store = Store.open(folder / "kent.db")
    round_id = store.open_round(seed=1, config={}, code_version="0").id
    run = store.begin_stage_run(round_id, "ctm_benchmark", pid=None, pid_start=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("KENT_DATA", raising=False)
        context = StageContext(store, settings, folder, round_id, run.id, seed=1)
        return CTMBenchmark().run(context).metrics


def test_every_model_has_every_figure_at_both_budgets(document):
    json.dumps(document)
    for budget in ("equal_seconds", "equal_samples"):
        for model in document[budget].values():
            for name in FIGURES:
                assert model[name].keys() == {"value", "low", "high", "n"}
            assert model["n"] == 6
            assert len(model["fix_accuracy_by_edits"]) == 8
            assert model["executed_fix_accuracy"] == {
                "value": None, "low": None, "high": None, "n": 0,
            }  # fmt: skip
    trained = [one["trained_samples"] for one in document["equal_samples"].values()]
    assert trained[0] == trained[1] == document["samples_each"]
    ctm, backbone = document["equal_seconds"].values()
    assert abs(ctm["weights"] / backbone["weights"] - 1) < 0.1
    assert len(ctm["fix_accuracy_by_tick"]) == 6
    assert ctm["tick_gain"]["n"] <= 2
    assert sum(one["seen"]["n"] for one in ctm["reliability"]) == 6
    assert "items" not in ctm


def test_the_ctm_is_compared_in_pairs_at_both_budgets(document):
    for budget in ("equal_seconds", "equal_samples"):
        parts = document["differences"][budget]["backbone"]
        assert parts["bugs"]["fix_accuracy"]["n"] == document[budget]["ctm"]["fix_accuracy"]["n"]
        assert 0 < parts["several_edits"]["p_better"] <= 1


def test_plots_are_written_of_the_ctm(document, tmp_path):
    names = {path.name for path in write_plots(document, tmp_path)}
    assert {"certainty_curves.png", "synchronisation_patterns.svg"} <= names


def test_the_table_has_a_column_for_each_model(document):
    lines = in_lines(document)
    assert lines[0].split() == ["equal", "seconds", "ctm", "backbone"]
    assert any(line.startswith("fix_accuracy, %") for line in lines)
    assert any(line.startswith("ctm less backbone, equal samples, bugs:") for line in lines)
