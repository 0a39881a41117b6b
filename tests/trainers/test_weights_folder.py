"""Stages look for weights where the configuration says, whatever this process's environment has."""

import pytest
from scripted import context_in

from trainers.config import TrainerSettings
from trainers.critic.engines import backbone_folder
from trainers.errors import WeightsError
from trainers.generators.weights import default_weights_dir
from trainers.stage_generator import open_generator


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("KENT_WEIGHTS", str(tmp_path / "of the environment"))
    return TrainerSettings.model_validate(
        {"weights_dir": tmp_path / "configured", "generator": {"backend": "llama.cpp"}}
    )


def test_the_generator_and_the_backbone_come_from_the_configured_folder(settings, tmp_path):
    with pytest.raises(WeightsError, match=str(tmp_path / "configured")):
        open_generator(context_in(tmp_path / "state", settings))
    with pytest.raises(WeightsError, match=str(tmp_path / "configured")):
        backbone_folder(settings)


def test_a_node_has_its_own_folder_or_else_the_configured_one(tmp_path):
    there = tmp_path / "there"
    assert default_weights_dir({"KENT_WEIGHTS": str(there)}, tmp_path) == there
    assert default_weights_dir({}, tmp_path) == tmp_path
