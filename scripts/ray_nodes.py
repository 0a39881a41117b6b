"""A real Ray cluster of two nodes on this machine: two `ray start`, each with its own processes.

A node is killed as by a power cut: SIGKILL to its raylet and to all of its workers.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from trainers.cluster.connection import connect
from trainers.cluster_settings import ClusterConfig
from trainers.errors import ClusterError

START_S = 300.0
HEAD, OTHER = "127.0.0.1", "127.0.0.2"

# `ray start` gives a node 30 s to come up, fixed in its source; a busy machine takes longer.
_PATIENT = f"""
import time
from ray._private import services
from ray.scripts.scripts import main

find = services.get_node

def patient(*args, **kwargs):
    ends = time.monotonic() + {START_S}
    while True:
        try:
            return find(*args, **kwargs)
        except RuntimeError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.2)

services.get_node = patient
main()
"""


class TwoNodes:
    """Use as a context manager; ``address`` is the head's. Each node has one CPU.

    Args:
        pin: give the nodes' processes the processors 0 and 1, one each.
    """

    def __init__(self, *, pin: bool = False) -> None:
        self._pin = pin
        self._folder = tempfile.TemporaryDirectory(prefix="kr", ignore_cleanup_errors=True)
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}
        with socket.create_server((HEAD, 0)) as server:
            self.address = f"{HEAD}:{server.getsockname()[1]}"

    def __enter__(self) -> "TwoNodes":
        """Both nodes are up and this process is connected."""
        self._start_head()
        self._connect()
        self.start_other()
        self.await_nodes(2)
        return self

    def __exit__(self, *exc: object) -> None:
        import ray

        ray.shutdown()
        for name in list(self._nodes):
            self.kill(name)
        self._folder.cleanup()

    def restore(self) -> None:
        """Both nodes are up."""
        if OTHER not in self._nodes:
            self.await_nodes(1)
            self.start_other()
            self.await_nodes(2)

    def start_other(self) -> None:
        """Let the second node join, or join again."""
        self._start(OTHER, f"--address={self.address}")

    def kill(self, name: str = OTHER) -> None:
        """End a node without warning."""
        process = self._nodes.pop(name)
        if process.poll() is not None:
            return
        for one in (process, *psutil.Process(process.pid).children(recursive=True)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)
        process.wait()

    def workers(self, name: str = OTHER) -> list[int]:
        """The processes of a node's actors."""
        node = psutil.Process(self._nodes[name].pid)
        return [
            one.pid
            for one in node.children(recursive=True)
            if " ".join(_command(one)).startswith("ray::Worker")
        ]

    def await_nodes(self, count: int) -> None:
        """Wait until Ray sees so many living nodes."""
        import ray

        ends = time.monotonic() + START_S
        while sum(row["Alive"] for row in ray.nodes()) != count:
            if time.monotonic() > ends:
                raise TimeoutError(f"there are not {count} nodes; {self._logs()}")
            if OTHER in self._nodes and self._nodes[OTHER].poll() is not None:
                raise RuntimeError(f"a node did not come up; {self._logs()}")
            time.sleep(0.2)

    def _start(self, name: str, *options: str) -> None:
        pinned = ["taskset", "--cpu-list", str(int(name == OTHER))] if self._pin else []
        command = [
            *pinned, sys.executable, "-c", _PATIENT, "start", *options, "--block",
            "--disable-usage-stats", "--include-log-monitor=false", "--num-cpus=1", "--num-gpus=0",
            f"--object-store-memory={100 * 2**20}", f"--node-ip-address={name}",
        ]  # fmt: skip
        env = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(sys.path),
            "RAY_memory_monitor_refresh_ms": "0",  # what else runs on this machine ends no test
        }
        with Path(self._folder.name, f"{name}.log").open("ab") as log:
            self._nodes[name] = subprocess.Popen(
                command, start_new_session=True, stdout=log, stderr=log, env=env
            )

    def _start_head(self) -> None:
        port = self.address.rpartition(":")[2]
        self._start(HEAD, "--head", f"--port={port}", "--include-dashboard=false", "--no-monitor",
                    f"--temp-dir={self._folder.name}")  # fmt: skip

    def _connect(self) -> None:
        """Connect as soon as the head is up."""
        ends = time.monotonic() + START_S
        while True:
            try:
                connect(ClusterConfig(engine="ray", address=self.address))
                return
            except ClusterError as error:
                if time.monotonic() > ends:
                    raise TimeoutError(f"the head did not start; {self._logs()}") from error
                if self._nodes[HEAD].poll() is not None:
                    raise RuntimeError(f"the head did not come up; {self._logs()}") from error
            time.sleep(0.5)

    def _logs(self) -> str:
        return "\n".join(one.read_text() for one in Path(self._folder.name).glob("*.log"))


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []
