"""SSH and rsync to a box by a configuration file of its own, which a person can use as well."""

import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kent.errors import RemoteError
from kent.remote.records import BoxRecord, Records

FOLDER = "kent"  # in the home directory of the box
UNREACHABLE = 255  # how ssh says that it has no connection
_DROPPED = {12, 30, 35, UNREACHABLE}  # how rsync says so
_CONFIG = """\
Host {name}
    HostName {ip}
    User {user}
    Port {port}
    IdentityFile "{identity}"
    IdentitiesOnly yes
    UserKnownHostsFile "{hosts}"
    StrictHostKeyChecking accept-new
    BatchMode yes
    ConnectTimeout 15
    ServerAliveInterval 15
    ServerAliveCountMax 4
"""


class Shell:
    """Runs commands on a box and copies files to and from it."""

    def __init__(self, records: Records, record: BoxRecord) -> None:
        self._config = records.folder / f"{record.name}.ssh"
        self._hosts = records.folder / f"{record.name}.hosts"
        self._record = record

    @property
    def command(self) -> list[str]:
        """The words that lead to the box, for whatever takes a remote shell."""
        return ["ssh", "-F", str(self._config)]

    def configure(self) -> Path:
        """Write the configuration file; the key of the host is learned at the first connection.

        Raises:
            RemoteError: the box has no address yet.
        """
        record = self._record
        if not record.ip:
            raise RemoteError(f"{record.name} has no address yet: `wait` for it first")
        self._config.write_text(
            _CONFIG.format(
                name=record.name, ip=record.ip, user=record.user, port=record.port,
                identity=record.identity, hosts=self._hosts,
            ),
            "utf-8",
        )  # fmt: skip
        return self._config

    def run(self, script: str, *, timeout_s: float = 60) -> "subprocess.CompletedProcess[str]":
        """A short shell script on the box; ``UNREACHABLE`` as its code where there is no way to it.

        Raises:
            RemoteError: `setup-ssh` was not done, or ssh is not installed here.
        """
        if not self._config.exists():
            raise RemoteError(f"{self._record.name} is not set up: `setup-ssh` first")
        words = [*self.command, self._record.name, script]
        try:
            return subprocess.run(
                words, capture_output=True, text=True, timeout=timeout_s, check=False,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise RemoteError("ssh is not installed here") from error
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(words, UNREACHABLE, "", f"silent for {timeout_s} s")

    def wait_until_reachable(
        self, timeout_s: float, *, pause_s: float = 5, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Try until the box lets us in; it takes a while after it became active.

        Raises:
            RemoteError: it does not within ``timeout_s`` seconds.
        """
        deadline = time.monotonic() + timeout_s
        while (done := self.run("true")).returncode:
            if time.monotonic() > deadline:
                words = done.stderr.strip().splitlines() or ["no answer"]
                raise RemoteError(f"{self._record.name} does not let us in: {words[-1]}")
            sleep(pause_s)

    def push(self, source: Path, *, attempts: int = 5) -> None:
        """Copy a working tree to the box without what git ignores; what is only there stays there.

        Raises:
            RemoteError: as for ``_rsync``.
        """
        tree = ["--delete", "--filter=:- .gitignore", "--exclude=.git"]
        self._rsync([*tree, f"{source}/", f"{self._record.name}:{FOLDER}/"], attempts)

    def pull(self, remote: str, target: Path, *, attempts: int = 5) -> None:
        """Copy a file or folder below the tree on the box, such as ``state``, into ``target``.

        Raises:
            RemoteError: as for ``_rsync``.
        """
        target.mkdir(parents=True, exist_ok=True)
        self._rsync([f"{self._record.name}:{FOLDER}/{remote}", f"{target}/"], attempts)

    def _rsync(self, arguments: Sequence[str], attempts: int) -> None:
        """Run rsync, and again where the connection dropped: it goes on where it was.

        Raises:
            RemoteError: it failed, or is not installed here or there.
        """
        words = ["rsync", "-az", "--partial", "--timeout=60", "-e", shlex.join(self.command)]
        for attempt in range(1, attempts + 1):
            try:
                done = subprocess.run(
                    [*words, *arguments], capture_output=True, text=True, check=False
                )
            except FileNotFoundError as error:
                raise RemoteError("rsync is not installed here") from error
            if done.returncode == 0:
                return
            if done.returncode not in _DROPPED or attempt == attempts:
                break
            time.sleep(attempt)
        last = (done.stderr.strip().splitlines() or [f"code {done.returncode}"])[-1]
        raise RemoteError(f"rsync: {last}")
