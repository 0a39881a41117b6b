"""A state directory with real processes in it, none of which outlives its test."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from kent.config import KentConfig, load_config
from kent.status import status
from memory.store import Store

ROOT = Path(__file__).resolve().parents[2]
_TOML = """\
[stages]
enabled = ["tiny_stage:TinyStage"]
[daemon]
interval_minutes = 0
heartbeat_s = 0.1
kill_grace_s = 0.5
min_free_gb = 0
"""


class Box:
    """A folder with ``kent.toml`` and ``state/``, and ``kent`` run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.state.mkdir()
        self.write(_TOML)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("KENT_")}
        self.env["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "kent")])

    def write(self, toml: str) -> None:
        (self.folder / "kent.toml").write_text(toml)

    def add(self, toml: str) -> None:
        self.write((self.folder / "kent.toml").read_text() + toml)

    def plan(self, **plan: Any) -> None:
        """What the tiny stage does; see ``tiny_stage.py``."""
        (self.state / "tiny.json").write_text(json.dumps(plan))

    def notes(self, word: str) -> list[str]:
        file = self.state / "tiny.log"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.split(" ", 1)[1] for line in lines if line.startswith(word)]

    def kent(self, *arguments: str, timeout: float = 60) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "kent", *arguments], cwd=self.folder, env=self.env,
            capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip

    def ok(self, *arguments: str) -> str:
        done = self.kent(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def status(self) -> dict[str, Any]:
        """What ``kent daemon status --json`` says, without a new process for each look."""
        return json.loads(json.dumps(status(self.state)))

    def config(self) -> KentConfig:
        return load_config(self.folder / "kent.toml", env={})

    def store(self) -> Store:
        return Store.open(self.state / "kent.db")

    def processes(self) -> list[psutil.Process]:
        """Everything alive that belongs to this state directory."""
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            words = process.info["cmdline"] or []
            if str(self.state) in words and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found

    def end(self) -> None:
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):  # it may end by itself meanwhile
                for one in [*process.children(recursive=True), process]:
                    one.kill()


def wait_for(condition: Callable[[], Any], timeout_s: float = 20) -> Any:
    """The first truthy answer."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"not within {timeout_s} s")
