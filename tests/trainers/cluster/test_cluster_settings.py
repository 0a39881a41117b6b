"""Settings, errors without a cluster, and where workers go; no cluster is started."""

import os
import socket
import subprocess
import sys
import time

import pytest
from pydantic import ValidationError

from trainers.cluster.connection import Node, connect
from trainers.cluster.job import OnCards, OnProcessors
from trainers.cluster_settings import ClusterConfig
from trainers.errors import ClusterError


@pytest.mark.parametrize("address", ["auto", "10.0.0.7:6379", "head.lan:6379", "[fd00::1]:6379"])
def test_addresses_that_are_understood(address):
    assert ClusterConfig(engine="ray", address=address).address == address


@pytest.mark.parametrize("address", ["", "head", "ray://head:10001", "head:port", "a b:1"])
def test_other_addresses_are_refused_with_the_remedy(address):
    with pytest.raises(ValidationError, match="neither 'auto' nor HOST:PORT"):
        ClusterConfig(engine="ray", address=address)


@pytest.mark.ray
def test_a_cluster_that_is_not_there_is_told_at_once_and_in_one_line():
    pytest.importorskip("ray", reason="Ray is not installed")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(ClusterError, match=rf"no Ray cluster at 127.0.0.1:{port}") as told:
        connect(ClusterConfig(engine="ray", address=f"127.0.0.1:{port}"))
    assert time.monotonic() - began < 20
    assert "\n" not in str(told.value)
    assert f"ray start --head --port={port}" in str(told.value)
    assert 'cluster.engine = "local"' in str(told.value)


def nodes(*cards: float) -> list[Node]:
    return [Node(str(i), f"n{i}", cpus=8, gpus=count) for i, count in enumerate(cards)]


def placed(places) -> list[tuple[str, int, float, float]]:
    return [(one.node.id, one.number, one.cpus, one.gpus) for one in places]


def test_programs_run_on_every_node_with_processors():
    head = Node("head", "head", cpus=0, gpus=0)
    everywhere = OnProcessors(ClusterConfig())([head, *nodes(0, 1)])
    assert placed(everywhere) == [("0", 0, 8, 0), ("1", 0, 8, 0)]
    two = OnProcessors(ClusterConfig(sandbox_cpus=2))(nodes(0))
    assert placed(two) == [("0", 0, 2, 0)]


def test_engines_take_cards_and_without_any_card_a_node_each():
    assert placed(OnCards(ClusterConfig())(nodes(0, 2))) == [("1", 0, 0, 1), ("1", 1, 0, 1)]
    halves = OnCards(ClusterConfig(gpus_per_engine=0.5))(nodes(1))
    assert placed(halves) == [("0", 0, 0, 0.5), ("0", 1, 0, 0.5)]
    pairs = OnCards(ClusterConfig(gpus_per_engine=2))(nodes(3, 1))
    assert placed(pairs) == [("0", 0, 0, 2)]
    assert placed(OnCards(ClusterConfig())(nodes(0, 0))) == [("0", 0, 0, 0), ("1", 0, 0, 0)]


def test_without_a_cluster_nothing_of_ray_is_imported(tmp_path):
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from scripted import context_in\n"
        "from trainers.critic.engines import open_features\n"
        "from trainers.critic.sampling import open_sandbox\n"
        "from trainers.critic.stage import CriticStage\n"
        f"with open_sandbox(context_in(Path({str(tmp_path)!r}))) as sandbox:\n"
        "    print(type(sandbox).__name__)\n"
        "print(sorted(n for n in sys.modules if n == 'ray' or n.startswith('trainers.cluster.')))\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=env
    )
    assert done.stdout.split("\n")[:2] == ["Sandbox", "[]"]
