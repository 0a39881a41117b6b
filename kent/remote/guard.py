"""The spending limit: a process of its own that gives a box back at its deadline.

``python -m kent.remote.guard FOLDER NAME BASE_URL``, with the key in its environment. It outlives
the terminal; where this machine was restarted, the next ``gpu_box`` command starts it again.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from kent.errors import RemoteError
from kent.processes import is_alive, start_time
from kent.remote.lambda_cloud import KEY_VARIABLE, LambdaCloud, NotFound
from kent.remote.records import BoxRecord, Records

_LOOK_S = 1.0
_LONGEST_PAUSE_S = 60.0


def watch_over(records: Records, record: BoxRecord, base_url: str) -> BoxRecord:
    """Start a guard for a box where none lives."""
    if is_alive(record.guard_pid, record.guard_start):
        return record
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    with (records.folder / f"{record.name}.guard.log").open("ab") as output:
        done = subprocess.run(
            [sys.executable, "-m", "kent.remote.guard", str(records.folder), record.name, base_url],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=output, check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )  # fmt: skip
    pid = int(done.stdout)
    return records.change(record.name, guard_pid=pid, guard_start=start_time(pid) or 0.0)


def guard(
    records: Records,
    name: str,
    cloud: LambdaCloud,
    *,
    look_s: float = _LOOK_S,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait for the deadline and give the box back; end at once where its record goes away.

    The time is taken from two clocks, and the earlier end counts: setting the machine's clock back
    must not lengthen the rent, and neither may a sleep in which the steady clock stands still.
    """
    left_s = records.read(name).deadline - time.time()
    until = time.monotonic() + left_s
    while records.path(name).exists():
        record = records.read(name)
        if time.time() >= record.deadline or time.monotonic() >= until:
            end(cloud, record, sleep=sleep)
            records.forget(name)
            return
        sleep(look_s)


def end(
    cloud: LambdaCloud,
    record: BoxRecord,
    *,
    attempts: int | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Terminate a box and look until it is gone; one whose launch was cut is found by its name.

    Args:
        cloud: the provider.
        record: the box.
        attempts: after which it gives up; None: never, since each further hour is paid for.
        sleep: waits so many seconds.

    Raises:
        RemoteError: it still runs after ``attempts``.
    """
    pause_s, tries, last = 2.0, 0, "it still runs"
    while attempts is None or tries < attempts:
        tries += 1
        try:
            ids = [record.id] if record.id else _by_name(cloud, record.name)
            for instance_id in ids:
                cloud.terminate(instance_id)
            if all(_is_gone(cloud, instance_id) for instance_id in ids):
                return
        except RemoteError as error:
            last = str(error)
            sys.stderr.write(f"{record.name}: {error}\n")
            sys.stderr.flush()
        sleep(pause_s)
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
    raise RemoteError(
        f"{record.name} ({record.id}) could not be terminated: {last}; terminate it in the console"
    )


def _by_name(cloud: LambdaCloud, name: str) -> list[str]:
    return [one.id for one in cloud.instances() if one.name == name and not one.gone]


def _is_gone(cloud: LambdaCloud, instance_id: str) -> bool:
    try:
        return cloud.instance(instance_id).gone
    except NotFound:
        return True


def main(folder: str, name: str, base_url: str) -> None:
    """Guard one box from a session of its own; the caller is told the process on its output."""
    if child := os.fork():
        sys.stdout.write(f"{child}\n")
        return
    os.setsid()
    os.dup2(2, 1)  # the caller waits for its end of the pipe; standard error is the guard's log
    with LambdaCloud(os.environ.get(KEY_VARIABLE, ""), base_url) as cloud:
        guard(Records(Path(folder)), name, cloud)


if __name__ == "__main__":
    main(*sys.argv[1:4])
