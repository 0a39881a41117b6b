"""The stage with real weights: three problems through generator, sandbox, features and head."""

import os

import pytest
from scripted import context_in

from trainers.config import TrainerSettings
from trainers.critic.stage import CriticStage
from trainers.errors import WeightsError
from trainers.generators.weights import default_weights_dir, find_weights

SETTINGS = TrainerSettings.model_validate(
    {
        "weights_dir": default_weights_dir(os.environ),
        "generator": {"backend": "llama.cpp", "max_tokens": 128, "parallel": 8},
        "tasks": {"train": "basics", "max_train": 1, "max_validation": 1, "max_test": 1},
        "critic": {"samples_per_problem": 4, "eval_samples_per_problem": 3, "epochs": 5},
    }
)


@pytest.mark.weights
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_round_with_the_real_model(tmp_path):
    try:
        find_weights(SETTINGS.generator.model, SETTINGS.weights_dir)
    except WeightsError as error:
        pytest.skip(str(error))
    context = context_in(tmp_path, SETTINGS)
    metrics = CriticStage().run(context).metrics
    assert metrics["train"]["n_samples"] + metrics["n_samples"] == 7
    assert metrics["baseline_pass1"]["n"] == 1
    assert metrics["tokens"] > 0
    assert metrics["generator"].startswith("llama.cpp/")
    texts = context.store.query("SELECT code, logprob FROM samples")
    assert any("def " in row["code"] for row in texts)
    assert len(list((tmp_path / "features").rglob("*.safetensors"))) >= 1
    if metrics["critic"] is None:  # four samples of one problem may have one outcome only
        assert "no critic was trained" in metrics["notes"][0]
