"""What a stage finds in its environment: few kept kernels, unless it is said otherwise."""

from kent.config import load_config
from kent.supervisor import child_environment

NAME = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"


def test_a_stage_keeps_few_kernels_and_a_set_capacity_stays(tmp_path, monkeypatch):
    (tmp_path / "kent.toml").write_text('profile = "cpu"\n')
    config = load_config(tmp_path / "kent.toml")
    monkeypatch.delenv(NAME, raising=False)
    assert child_environment(config)[NAME] == "64"
    monkeypatch.setenv(NAME, "512")
    assert child_environment(config)[NAME] == "512"
