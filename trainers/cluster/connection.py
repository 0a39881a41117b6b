"""The connection to the Ray cluster, and which nodes it has."""

import contextlib
import importlib.util
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trainers.cluster_settings import ClusterConfig
from trainers.errors import ClusterError

CONNECT_S = 5.0
NAMESPACE = "kent"


@dataclass(frozen=True)
class Node:
    """A machine of the cluster that lives: its id, its name, and what Ray was given of it."""

    id: str
    name: str
    cpus: int
    gpus: float


def connect(config: ClusterConfig) -> None:
    """Connect this process to the cluster; it stays connected until it ends. Twice is once.

    Raises:
        ClusterError: Ray is not installed, or the cluster cannot be reached.
    """
    ray = _ray()
    if ray.is_initialized():
        return
    _knock(config.address)
    try:
        with _own_signals():
            ray.init(
                address=config.address,
                namespace=NAMESPACE,
                configure_logging=False,
                log_to_driver=False,
            )
    except (ConnectionError, RuntimeError, OSError, ValueError, AssertionError) as error:
        told = " ".join(str(error).split())
        raise ClusterError(
            f"no Ray cluster at {config.address}: {told[:300]}; {_remedy(config.address)}"
        ) from error


def living_nodes() -> list[Node]:
    """The nodes that Ray believes to live, by name; needs a connection."""
    rows: list[dict[str, Any]] = _ray().nodes()
    found = [
        Node(
            id=str(row["NodeID"]),
            name=f"{row['NodeManagerHostname']} ({row['NodeManagerAddress']})",
            cpus=int(row["Resources"].get("CPU", 0)),
            gpus=float(row["Resources"].get("GPU", 0)),
        )
        for row in rows
        if row["Alive"]
    ]
    return sorted(found, key=lambda node: (node.name, node.id))


def _ray() -> Any:
    if importlib.util.find_spec("ray") is None:
        raise ClusterError(
            "cluster.engine is 'ray', but Ray is not installed here: "
            "pip install -c constraints.txt -e '.[ray]', on every node"
        )
    import ray

    return ray


def _knock(address: str) -> None:
    """Try the head's port first: Ray itself tries for half a minute, or ends the process."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(f"no Ray cluster at {address}: {error}; {_remedy(address)}") from error


def _remedy(address: str) -> str:
    port = address.rpartition(":")[2] if address != "auto" else "6379"
    join = "HOST:6379" if address == "auto" else address
    return (
        f"start its head with `ray start --head --port={port}`, let this machine join with "
        f"`ray start --address={join} --num-cpus=0` where it is another one, or set "
        'cluster.engine = "local"'
    )


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep our handlers: Ray puts its own in the place of the one by which a stage is stopped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
