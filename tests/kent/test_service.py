"""KENT as a service: the notify handshake under a small supervisor, and the unit for it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from box import Box, wait_for

from kent.pause import set_paused
from kent.systemd import Notifier
from kent.unit import systemd_unit


class Supervisor:
    """What a service manager does: listens on a datagram socket and starts the service."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.setblocking(False)
        self.heard: list[str] = []

    def listen(self) -> list[str]:
        while True:
            try:
                self.heard += self._socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return self.heard

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def supervisor(tmp_path_factory: pytest.TempPathFactory):
    supervisor = Supervisor(tmp_path_factory.mktemp("s"))
    yield supervisor
    supervisor.close()


def test_the_handshake_of_a_daemon_under_a_supervisor(box: Box, supervisor: Supervisor) -> None:
    box.plan(units=400, pause_s=0.02)
    service = subprocess.Popen(
        [sys.executable, "-m", "kent", "daemon", "start", "--foreground"], cwd=box.folder,
        env=box.env | {"NOTIFY_SOCKET": str(supervisor.path), "WATCHDOG_USEC": "400000"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(lambda: "READY=1" in supervisor.listen(), 60)
        wait_for(lambda: any("round 1, TinyStage: work" in one for one in supervisor.listen()), 60)
        wait_for(lambda: supervisor.listen().count("WATCHDOG=1") > 2, 60)
        environment = Path(f"/proc/{box.status()['stage']['pid']}/environ")
        if environment.exists():  # a stage that could speak to the supervisor could end the service
            assert b"NOTIFY_SOCKET" not in environment.read_bytes()
        service.send_signal(signal.SIGTERM)
        assert service.wait(60) == 0
    finally:
        service.kill()
        service.wait()
    heard = supervisor.listen()
    assert heard.index("READY=1") < heard.index("STOPPING=1")
    assert heard[-1] == "STATUS=stopping"


def test_the_status_is_told_when_it_waits(box: Box, supervisor: Supervisor) -> None:
    set_paused(box.state, True)
    service = subprocess.Popen(
        [sys.executable, "-m", "kent", "daemon", "start", "--foreground"], cwd=box.folder,
        env=box.env | {"NOTIFY_SOCKET": str(supervisor.path)}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(lambda: any("paused" in one for one in supervisor.listen()), 60)
        assert "WATCHDOG=1" not in supervisor.heard
    finally:
        service.terminate()
        service.wait(60)


def test_nobody_listening_is_no_error(tmp_path: Path) -> None:
    Notifier().ready()
    Notifier(str(tmp_path / "absent")).ready()


@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")
def test_an_abstract_socket_is_understood() -> None:
    name = f"kent-test-{os.getpid()}"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(f"\0{name}")
    environ = {"NOTIFY_SOCKET": f"@{name}", "WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"}
    notifier = Notifier.from_environment(environ)
    notifier.status("two\nlines")
    assert listener.recv(100) == b"STATUS=two lines"
    assert environ == {}
    listener.close()


def test_a_sign_of_life_is_sent_twice_in_the_watchdogs_time(supervisor: Supervisor) -> None:
    now = [0.0]
    notifier = Notifier(str(supervisor.path), 10, clock=lambda: now[0])
    for _ in range(100):
        notifier.alive()
        now[0] += 0.5
    assert supervisor.listen() == ["WATCHDOG=1"] * 10


@pytest.mark.parametrize("version", [None, 252, 254])
def test_the_unit_asks_for_what_the_daemon_does(box: Box, version: int | None) -> None:
    unit = systemd_unit(box.config(), box.folder / "kent.toml", version).splitlines()
    assert {"Type=notify", "NotifyAccess=main", "KillMode=mixed", "Restart=on-failure",
            "RestartSec=10", "StartLimitIntervalSec=0"} <= set(unit)  # fmt: skip
    assert ("RestartMaxDelaySec=600" in unit) == (version != 252)
    assert ("DelegateSubgroup=daemon" in unit) == (version != 252)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_accepts_the_unit(box: Box, tmp_path: Path) -> None:
    file = tmp_path / "kent-test.service"
    file.write_text(box.ok("daemon", "unit"))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False
    )
    about_us = [line for line in done.stderr.splitlines() if "kent-test" in line]
    assert (done.returncode, about_us) == (0, [])


def test_status_says_what_comes_next(box: Box) -> None:
    assert "next: `kent daemon start` begins a round" in box.ok("daemon", "status")
    box.write('[stages]\nenabled = ["tiny_stage:TinyStage", "tiny_stage:OtherStage"]\n'
              "[daemon]\nheartbeat_s = 0.1\nmin_free_gb = 0\ninterval_minutes = 60\n")  # fmt: skip
    box.plan(units=200, pause_s=0.05)
    box.ok("daemon", "start")
    wait_for(lambda: (s := box.status()) and s["stage"] and s["stage"]["done"])
    assert "next: OtherStage, then the end of round 1" in box.ok("daemon", "status")
    box.ok("daemon", "stop")
    assert "next: `kent daemon start` goes on with round 1" in box.ok("daemon", "status")


def test_a_daemon_that_is_blocked_waits_and_goes_on(box: Box) -> None:
    toml = (box.folder / "kent.toml").read_text()
    box.write(toml.replace("min_free_gb = 0", "min_free_gb = 1000000"))
    box.ok("daemon", "start", "--rounds", "1")
    held = wait_for(lambda: (s := box.status()) and s["waiting"] and s)
    assert "free some space" in held["waiting"]
    words = box.ok("daemon", "status")
    assert "next: another try by itself" in words
    box.ok("daemon", "stop")
    box.write(toml)
    began = time.monotonic()
    box.ok("daemon", "start", "--rounds", "1")
    wait_for(lambda: box.status()["state"] == "stopped")
    assert box.status()["rounds"] == {"done": 1}, time.monotonic() - began
