"""A daemon on a state directory of its own, with a model server; both are there to be broken."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from kent.processes import descendants, find, kill_tree, start_time
from scripts.faults.rows import Snapshot, query, snapshot

ROOT = Path(__file__).resolve().parents[2]
_TOML = """\
[stages]
enabled = ["scripts.faults.stage:ChaosStage"]
[daemon]
interval_minutes = {interval}
heartbeat_s = 0.2
heartbeat_timeout_s = {silence}
kill_grace_s = 1
stage_time_limit_s = {limit}
retries = 3
min_free_gb = 0
remedy_pause_s = 0.5
[generator]
backend = "openai"
model = "scripted"
base_url = "http://127.0.0.1:{port}/v1"
parallel = 4
request_timeout_s = {request}
[backup]
every_hours = 0.001
keep = 3
[retention]
candidates = 2
"""


class World:
    """The folder of one trial; use as a context manager, which leaves nothing running."""

    def __init__(
        self,
        folder: Path,
        rounds: int,
        *,
        interval_minutes: float = 0,
        silence_s: float = 6,
    ) -> None:
        """What is to be done, and with how much patience.

        Args:
            folder: of this world alone; it is there.
            rounds: to be done in all, in however many lives of the daemon.
            interval_minutes: between two rounds.
            silence_s: how long a stage may be silent; ten times that is its time limit, and half
                of it a request's.
        """
        self._interval, self._silence_s = interval_minutes, silence_s
        self.folder, self.rounds = folder, rounds
        self.state = folder / "state"
        self.snapshots: list[Snapshot] = []
        self.seen: set[tuple[int, float]] = set()
        self.starts = 0
        self._port = _free_port()
        self._server: subprocess.Popen[bytes] | None = None
        self._daemon: subprocess.Popen[bytes] | None = None
        self._trouble = folder / "server.json"

    def __enter__(self) -> "World":
        (self.state / "run").mkdir(parents=True)
        (self.folder / "kent.toml").write_text(
            _TOML.format(
                port=self._port,
                interval=self._interval,
                silence=self._silence_s,
                limit=10 * self._silence_s,
                request=self._silence_s / 2,
            )
        )
        self.start_server()
        self.start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.kill_all()
        self.stop_server()

    # The model server.

    def start_server(self) -> None:
        """Start the model server, on the same port each time."""
        script = ROOT / "scripts" / "faults" / "model_server.py"
        self._server = subprocess.Popen(
            [sys.executable, str(script), str(self._port), str(self._trouble)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def stop_server(self) -> None:
        """Kill the model server."""
        if self._server:
            self._server.kill()
            self._server.wait()

    def server_trouble(self, kind: str, count: int) -> None:
        """Let the next ``count`` requests fare badly."""
        self._trouble.write_text(json.dumps({"kind": kind, "count": count}))

    def stage_trouble(self, word: str, at: int) -> None:
        """Let the next attempt of the stage fare badly after ``at`` units of work."""
        (self.state / "run" / "chaos.json").write_text(json.dumps({"trouble": word, "at": at}))

    # The daemon.

    def start(self) -> None:
        """Start the daemon for the rounds that are left."""
        left = self.rounds - self.rounds_done()
        log = (self.folder / "daemon.out").open("ab")
        with log:
            self._daemon = subprocess.Popen(
                [sys.executable, "-m", "kent", "--config", str(self.folder / "kent.toml"),
                 "--state", str(self.state), "daemon", "start", "--foreground", "--detached",
                 "--rounds", str(max(left, 1))],
                cwd=self.folder, env=self._environment(), start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.starts += 1

    def alive(self) -> bool:
        """True while the daemon runs."""
        return self._daemon is not None and self._daemon.poll() is None

    def processes(self) -> list[psutil.Process]:
        """The daemon and all below it, which are remembered: none may be left at the end."""
        if self._daemon is None or (daemon := find(self._daemon.pid, _start(self._daemon))) is None:
            return []
        found = [daemon, *descendants(daemon)]
        self.seen |= {(one.pid, start_time(one.pid) or 0.0) for one in found}
        return found

    def stage_process(self) -> psutil.Process | None:
        """The stage's process, while there is one."""
        rows = query(self.state, "SELECT pid, pid_start FROM stage_runs WHERE status = 'running'")
        daemon = self._daemon.pid if self._daemon else 0
        return find(*rows[-1]) if rows and rows[-1][0] != daemon else None

    def kill_daemon(self) -> None:
        """SIGKILL to the daemon alone."""
        self.processes()
        if self._daemon:
            self._daemon.kill()
            self._daemon.wait()

    def kill_all(self) -> None:
        """SIGKILL to the daemon and all below it."""
        for process in self.processes()[:1]:
            kill_tree(process)
        if self._daemon:
            self._daemon.wait()

    def look(self) -> None:
        """Take down what is committed now; all of it must be there at the end."""
        self.snapshots.append(snapshot(self.state))

    # Waiting.

    def samples(self) -> int:
        """How many samples are committed."""
        rows = query(self.state, "SELECT count(*) FROM samples")
        return int(rows[0][0]) if rows else 0

    def rounds_done(self) -> int:
        """How many rounds came to their end."""
        rows = query(self.state, "SELECT count(*) FROM rounds WHERE status <> 'running'")
        return int(rows[0][0]) if rows else 0

    def wait_for(self, condition: Callable[[], bool], timeout_s: float = 120) -> bool:
        """Wait; False where the daemon ended or the time was up before."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if condition():
                return True
            if not self.alive():
                return False
            time.sleep(0.03)
        return False

    def finish(self, timeout_s: float = 300) -> str:
        """Let the rounds come to their end, starting the daemon again where it died; what is wrong.

        A service manager would start it again in the same way.
        """
        deadline = time.monotonic() + timeout_s
        while self.rounds_done() < self.rounds:
            if time.monotonic() > deadline:
                return f"not through in {timeout_s:g} s"
            if not self.alive():
                if self.starts > 10:
                    return "the daemon does not stay alive"
                self.start()
            self.processes()
            self.wait_for(lambda: self.rounds_done() >= self.rounds, 2.0)
        self.wait_for(lambda: False, 30)  # the tidying after the last round
        return ""

    def _environment(self) -> dict[str, str]:
        hooks = ROOT / "scripts" / "faults" / "hooks"
        mine = {name: value for name, value in os.environ.items() if not name.startswith("KENT_")}
        return {
            **mine,
            "PYTHONPATH": os.pathsep.join([str(hooks), str(ROOT)]),
            "OMP_NUM_THREADS": "1",
            "CHAOS_SYNCED": str(self.folder / "synced.jsonl"),
            "CHAOS_CLOCK": str(self.folder / "clock"),
        }


def _free_port() -> int:
    """A port outside the range from which the system gives ports to clients.

    Otherwise one of them could get it while the server is down, or even connect to itself.
    """
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port


def _start(process: "subprocess.Popen[bytes]") -> float | None:
    return start_time(process.pid)


def stop_gently(world: World) -> None:
    """SIGTERM to the daemon, and wait."""
    for process in world.processes()[:1]:
        process.send_signal(signal.SIGTERM)
    world.wait_for(lambda: False, 60)
