"""setup-ssh, sync, run and logs over a real SSH server on this machine."""

import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from box import wait_for
from gpu_account import Account

from kent.remote import jobs
from kent.remote.shell import Shell

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
pytestmark = pytest.mark.skipif(
    not (Path(SSHD).exists() and shutil.which("ssh") and shutil.which("rsync")),
    reason="openssh-server, openssh-client and rsync are not installed",
)
_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/id.pub
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
ForceCommand cd {home} && HOME={home} exec bash -c "$SSH_ORIGINAL_COMMAND"
"""


@dataclass
class Server:
    """The box: where its home is, and the process behind it."""

    home: Path
    port: int
    identity: Path
    process: "subprocess.Popen[bytes]"

    def drop(self) -> int:
        """Cut every connection; how many there were."""
        sessions = psutil.Process(self.process.pid).children()
        for one in sessions:
            one.kill()
        return len(sessions)


@pytest.fixture
def server(account: Account) -> Iterator[Server]:
    folder = account.folder / "sshd"
    home = folder / "home"
    home.mkdir(parents=True)
    for name in ("host", "id"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "config").write_text(_CONFIG.format(port=port, folder=folder, home=home))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen(
        [SSHD, "-D", "-e", "-f", str(folder / "config")], stderr=subprocess.DEVNULL
    )
    yield Server(home, port, folder / "id", process)
    if process.poll() is None:
        for one in psutil.Process(process.pid).children(recursive=True):
            one.kill()
    process.kill()
    process.wait()


@pytest.fixture
def ready(account: Account, server: Server) -> Server:
    """A box that was launched, waited for and set up."""
    account.launch("--identity", str(server.identity))
    account.ok("wait", "--poll-s", "0.01")
    said = account.ok("setup-ssh", "--user", getpass.getuser(), "--port", str(server.port),
                      "--no-timer")  # fmt: skip
    assert "ready: ssh -F" in said
    return server


def test_a_tree_goes_there_and_results_come_back(account: Account, ready: Server) -> None:
    tree = account.folder / "tree"
    for name in ("a.py", "pkg/b.py", "state/kent.db", ".git/config", "old.py"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    (tree / ".gitignore").write_text("state/\n")
    account.ok("sync", "--source", str(tree))
    there = ready.home / "kent"
    assert {path.name for path in there.rglob("*.py")} == {"a.py", "b.py", "old.py"}
    assert not (there / "state").exists()
    assert not (there / ".git").exists()
    (there / "state").mkdir()
    (there / "state" / "kent.db").write_text("made there")
    (tree / "old.py").unlink()
    account.ok("sync", "--source", str(tree))
    assert not (there / "old.py").exists()
    account.ok("sync", "--pull", "state", "--target", str(account.folder / "back"))
    assert (account.folder / "back" / "state" / "kent.db").read_text() == "made there"


def test_a_command_runs_in_the_tree_with_its_words_and_code(
    account: Account, ready: Server
) -> None:
    code, out, err = account.run("run", "--", "sh", "-c", 'pwd; echo "it\'s $0" >&2; exit 7', "a b")
    assert code == 7
    assert out == f"{ready.home}/kent\nit's a b\n"
    assert "ended with code 7" in err
    [kept] = (account.records.folder / "logs" / "box").iterdir()
    assert kept.read_text() == out
    assert account.ok("logs") == out


def test_a_run_survives_dropped_connections(account: Account, ready: Server) -> None:
    shell = Shell(account.records, account.records.read("box"))
    job, got = jobs.new_job(), bytearray()
    loop = "for i in $(seq 1 40); do echo line $i; sleep 0.1; done; exit 3"
    jobs.start(shell, job, ["sh", "-c", loop])
    jobs.start(shell, job, ["sh", "-c", loop])  # an answer that was lost: it runs once
    result: list[int] = []
    follower = threading.Thread(
        target=lambda: result.append(jobs.follow(shell, "box", job, got.extend, pause_s=0.1))
    )
    follower.start()
    drops = 0
    while follower.is_alive() and drops < 4:
        before = len(got)
        wait_for(lambda before=before: len(got) > before or not follower.is_alive())
        drops += ready.drop() > 0
        time.sleep(0.3)
    follower.join(60)
    assert result == [3]
    assert drops >= 2
    assert got.decode() == "".join(f"line {number}\n" for number in range(1, 41))


def test_a_detached_job_is_followed_later(account: Account, ready: Server) -> None:
    account.ok("run", "--detach", "--", "sh", "-c", "echo one; sleep 0.5; echo two")
    assert account.ok("logs", "-f") == "one\ntwo\n"


def test_a_job_that_died_with_its_box_is_told(account: Account, ready: Server) -> None:
    account.ok("run", "--detach", "--", "sleep", "60")
    [job] = list((ready.home / jobs.JOBS).iterdir())
    pid = int(wait_for(lambda: (job / "pid").exists() and (job / "pid").read_text().strip()))
    for one in [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]:
        one.kill()
    code, _, err = account.run("logs", "-f")
    assert code == 1
    assert "was the box restarted?" in err


def test_what_is_not_set_up_or_not_there_is_told(account: Account, ready: Server) -> None:
    code, _, err = account.run("logs", "--job", "none")
    assert (code, "there is no such job" in err) == (1, True)
    code, _, err = account.run("sync", "other")
    assert (code, "no box 'other' is known here; known: box" in err) == (1, True)
    ready.process.kill()
    ready.process.wait()
    code, _, err = account.run("setup-ssh", "--port", str(ready.port), "--timeout-s", "0.1")
    assert (code, "does not let us in" in err) == (1, True)


def test_a_box_without_an_address_is_told(account: Account, server: Server) -> None:
    account.launch("--identity", str(server.identity))
    code, _, err = account.run("setup-ssh")
    assert (code, "`wait` for it first" in err) == (1, True)
    code, _, err = account.run("run", "true")
    assert (code, "`setup-ssh` first" in err) == (1, True)
