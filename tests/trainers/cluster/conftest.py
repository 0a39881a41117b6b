"""One real cluster of two nodes for all tests here, and the tiny feature model."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from critic.tiny_model import save_tiny_model

from scripts.ray_nodes import TwoNodes
from trainers.cluster_settings import ClusterConfig


@pytest.fixture(scope="session")
def cluster() -> Iterator[TwoNodes]:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install -c constraints.txt -e '.[ray]'")
    with TwoNodes() as nodes:
        yield nodes


@pytest.fixture
def two(cluster: TwoNodes) -> TwoNodes:
    """The cluster with both nodes up, whatever an earlier test did to it."""
    cluster.restore()
    return cluster


@pytest.fixture
def config(two: TwoNodes) -> ClusterConfig:
    return ClusterConfig(engine="ray", address=two.address, start_timeout_s=120)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("tiny"))
