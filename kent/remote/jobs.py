"""Commands that go on on the box when the connection does not: started once, followed by bytes."""

import secrets
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from kent.errors import RemoteError
from kent.remote.shell import FOLDER, UNREACHABLE, Shell

JOBS = ".kent-jobs"
_GONE = 97  # the remote scripts' own word for a job that is not there
_CHUNK = 65536
# Its folder is the lock: started twice, after an answer that was lost, it runs once.
_START = """\
mkdir -p ~/{jobs} ~/{folder} || exit 1
mkdir ~/{jobs}/{job} 2>/dev/null || exit 0
cd ~/{jobs}/{job} || exit 1
printf '%s\\n' {command} > command
cat > body <<'KENT_END_OF_BODY'
cd ~/{folder}
bash ~/{jobs}/{job}/command
code=$?
echo $code > ~/{jobs}/{job}/code.new && mv ~/{jobs}/{job}/code.new ~/{jobs}/{job}/code
KENT_END_OF_BODY
setsid nohup bash body > log 2>&1 < /dev/null &
echo $! > pid
"""
_FOLLOW = """\
cd ~/{jobs}/{job} 2>/dev/null || exit {gone}
while [ ! -s pid ]; do sleep 0.1; done
exec tail -c +{first} -f --pid="$(cat pid)" log
"""
_READ = "cd ~/{jobs}/{job} 2>/dev/null || exit {gone}; tail -c +{first} log"
_CODE = (
    "cd ~/{jobs}/{job} 2>/dev/null || exit {gone}; cat code 2>/dev/null || "
    '(kill -0 "$(cat pid)" 2>/dev/null && echo running || echo lost)'
)


def new_job() -> str:
    """A name for a job, in the order of time."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"


def start(shell: Shell, job: str, command: Sequence[str], *, attempts: int = 5) -> None:
    """Start a command in the tree on the box, in a session of its own.

    Args:
        shell: leads to the box.
        job: its name; starting the same one again changes nothing.
        command: its words.
        attempts: where the connection fails.

    Raises:
        RemoteError: it could not be started.
    """
    script = _START.format(
        jobs=JOBS, folder=FOLDER, job=job, command=shlex.quote(shlex.join(command))
    )
    for attempt in range(1, attempts + 1):
        done = shell.run(script)
        if done.returncode == 0:
            return
        if done.returncode != UNREACHABLE or attempt == attempts:
            break
        time.sleep(attempt)
    last = (done.stderr.strip().splitlines() or ["no answer"])[-1]
    raise RemoteError(f"the command could not be started: {last}")


def follow(
    shell: Shell,
    name: str,
    job: str,
    write: Callable[[bytes], object],
    *,
    pause_s: float = 2.0,
    give_up_s: float = 3600.0,
) -> int:
    """Copy a job's output as it comes until it ends, across dropped connections; its exit code.

    Args:
        shell: leads to the box.
        name: of the box.
        job: as it was started.
        write: takes the output; no byte twice, none left out.
        pause_s: before the next connection, in seconds.
        give_up_s: without any connection.

    Raises:
        RemoteError: there is no such job, it died without a code, or the box stays out of reach.
    """
    seen, reached = 0, time.monotonic()
    while True:
        script = _FOLLOW.format(jobs=JOBS, job=job, first=seen + 1, gone=_GONE)
        seen, code = _stream(shell, name, script, seen, write)
        if code == _GONE:
            raise RemoteError(f"there is no job {job} on the box")
        if code == 0:
            reached = time.monotonic()
            if (ended := _exit_code(shell, job)) is not None:
                return ended
        elif time.monotonic() - reached > give_up_s:
            raise RemoteError(f"{name} is out of reach; the job may go on: `logs --job {job}`")
        time.sleep(pause_s)


def read(shell: Shell, name: str, job: str, write: Callable[[bytes], object]) -> None:
    """Copy what a job has printed so far.

    Raises:
        RemoteError: there is no such job, or no way to the box.
    """
    script = _READ.format(jobs=JOBS, job=job, first=1, gone=_GONE)
    _, code = _stream(shell, name, script, 0, write)
    if code:
        known = "there is no such job" if code == _GONE else "the box is out of reach"
        raise RemoteError(f"{job}: {known}")


def jobs(shell: Shell) -> list[str]:
    """The jobs that were started on the box, oldest first."""
    done = shell.run(f"ls ~/{JOBS} 2>/dev/null || true")
    if done.returncode:
        raise RemoteError("the box is out of reach")
    return sorted(done.stdout.split())


def _stream(
    shell: Shell, name: str, script: str, seen: int, write: Callable[[bytes], object]
) -> tuple[int, int]:
    """Bytes seen in all, and ssh's exit code."""
    with subprocess.Popen(
        [*shell.command, name, script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        try:
            while chunk := _read_some(child.stdout):
                write(chunk)
                seen += len(chunk)
        except BaseException:
            child.kill()
            raise
    return seen, child.returncode


def _read_some(pipe: IO[bytes]) -> bytes:
    return pipe.read1(_CHUNK)  # type: ignore[attr-defined,no-any-return]


def _exit_code(shell: Shell, job: str) -> int | None:
    """A job's code; None where that cannot be told now."""
    done = shell.run(_CODE.format(jobs=JOBS, job=job, gone=_GONE))
    word = done.stdout.strip()
    if done.returncode or word == "running":
        return None
    if word == "lost":
        raise RemoteError(f"{job} ended without a word: was the box restarted?")
    return int(word)


def local_log(folder: Path, name: str, job: str) -> Path:
    """Where the output of a job is kept on this machine."""
    path = folder / "logs" / name / f"{job}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
