"""Every kind of fault: a function that does it to a running world at a moment drawn by chance."""

import json
import random
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from scripts.faults.rows import query
from scripts.faults.stage import PROBLEMS, SAMPLES
from scripts.faults.world import World, stop_gently

_UNITS = PROBLEMS * SAMPLES  # samples of a round
Inject = Callable[[World, random.Random], None]


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    ``disk_mb``: the state directory is a file system of its own of that size.
    """

    name: str
    inject: Inject
    disk_mb: int = 0


def _at_samples(world: World, chance: random.Random) -> None:
    """Wait for a moment within the sampling, and take down what is committed."""
    target = chance.randrange(1, _UNITS)
    world.wait_for(lambda: world.samples() >= target)
    world.look()


def _server(kind: str, least: int, most: int) -> Inject:
    def inject(world: World, chance: random.Random) -> None:
        _at_samples(world, chance)
        world.server_trouble(kind, chance.randint(least, most))

    return inject


def _server_dies(world: World, chance: random.Random) -> None:
    _at_samples(world, chance)
    world.stop_server()
    time.sleep(chance.uniform(0.2, 3))
    world.start_server()


def _stage(word: str) -> Inject:
    def inject(world: World, chance: random.Random) -> None:
        world.stage_trouble(word, chance.randrange(1, _UNITS // 2))
        world.wait_for(lambda: not (world.state / "run" / "chaos.json").exists())
        world.look()

    return inject


def _stage_killed(world: World, chance: random.Random) -> None:
    _at_samples(world, chance)
    if process := world.stage_process():
        process.kill()


def _sandbox_killed(world: World, chance: random.Random) -> None:
    _at_samples(world, chance)
    stage = world.stage_process()
    below = stage.children(recursive=True) if stage else []
    if below:
        chance.choice(below).kill()


def _daemon_killed(world: World, chance: random.Random) -> None:
    _at_samples(world, chance)
    world.kill_daemon()


def _all_killed(world: World, chance: random.Random) -> None:
    _at_samples(world, chance)
    world.kill_all()


def _killed_between(world: World, chance: random.Random) -> None:
    """While a round is closed, tidied, backed up, and the next is opened."""
    world.wait_for(lambda: world.rounds_done() >= 1)
    time.sleep(chance.uniform(0, 0.5))
    world.look()
    world.kill_all()


def _power_loss(world: World, chance: random.Random) -> None:
    """All dies at once, and what was not forced to the disk is not there.

    The database forces each commit itself (synchronous=FULL); of the other files what Python was
    seen to force is kept.
    """
    if chance.random() < 0.5:
        world.wait_for(lambda: any((world.state / "checkpoints").glob("*")))
        time.sleep(chance.uniform(0, 0.1))
    else:
        _at_samples(world, chance)
    world.kill_all()
    _drop_unsynced(world)
    world.look()


def _drop_unsynced(world: World) -> None:
    inodes: set[int] = set()
    names: dict[str, dict[str, int]] = {}
    synced = world.folder / "synced.jsonl"
    for line in synced.read_text().splitlines() if synced.exists() else []:
        entry = json.loads(line)
        if "folder" in entry:
            names[entry["folder"]] = entry["names"]
        else:
            inodes.add(entry["inode"])
    for path in [path for path in world.state.rglob("*") if path.is_file()]:
        if path.name.startswith("kent.db"):
            continue
        inode = path.stat().st_ino
        listed = names.get(str(path.parent), {}).get(path.name) == inode
        if inode not in inodes:
            path.unlink() if not listed else path.write_bytes(b"")
        elif not listed:
            path.unlink()


def _clock(seconds: float) -> Inject:
    def inject(world: World, chance: random.Random) -> None:
        _at_samples(world, chance)
        (world.folder / "clock").write_text(str(seconds * chance.uniform(0.5, 1)))

    return inject


def _locked(world: World, chance: random.Random) -> None:
    """Another program keeps the database to itself for a while."""
    _at_samples(world, chance)
    with closing(sqlite3.connect(world.state / "kent.db", isolation_level=None)) as other:
        other.execute("PRAGMA busy_timeout = 60000")
        other.execute("BEGIN EXCLUSIVE")
        time.sleep(chance.uniform(4, 8))
        other.execute("COMMIT")


def _locked_for_a_minute(world: World, chance: random.Random) -> None:
    _at_samples(world, chance)
    with closing(sqlite3.connect(world.state / "kent.db", isolation_level=None)) as other:
        other.execute("PRAGMA busy_timeout = 60000")
        other.execute("BEGIN EXCLUSIVE")
        time.sleep(65)
        other.execute("COMMIT")


def _checkpoint(harm: Callable[[Path], object]) -> Inject:
    """Harm the champion's checkpoint after the second round's sampling has begun, or before it."""

    def inject(world: World, chance: random.Random) -> None:
        world.wait_for(lambda: world.rounds_done() >= 2)
        stop_gently(world)
        world.look()
        rows = query(world.state, "SELECT checkpoint FROM models WHERE status = 'champion'")
        harm(world.state / rows[0][0])

    return inject


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def _disk_full(world: World, chance: random.Random) -> None:
    """Somebody else fills the disk, and frees it again later."""
    _at_samples(world, chance)
    filler = world.state / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"\0" * 4096):
            pass
    time.sleep(chance.uniform(3, 8))
    filler.unlink()


def _read_only(world: World, chance: random.Random) -> None:
    """The directory turns read-only for whatever is opened from now on, and is mended."""
    _at_samples(world, chance)
    place = str(world.state)
    _mount("--bind", place, place)
    _mount("-o", "remount,bind,ro", place)
    try:
        if process := world.stage_process():
            process.kill()  # the next attempt meets a directory that it cannot write
        time.sleep(chance.uniform(8, 12))
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def _run_files(world: World, chance: random.Random) -> None:
    """All dies, and the small files of a run hold garbage."""
    _at_samples(world, chance)
    world.kill_all()
    for name in ("kent.lock", "pace.json"):
        (world.state / "run" / name).write_bytes(b"\xff\x00{" * chance.randrange(1, 99))


def _caches_gone(world: World, chance: random.Random) -> None:
    """Somebody tidies up: logs and the run folder are removed under a living daemon."""
    _at_samples(world, chance)
    shutil.rmtree(world.state / "logs")
    (world.state / "run" / "pace.json").unlink(missing_ok=True)


FAULTS = [
    Fault("the generator dies", _server_dies),
    Fault("the generator hangs", _server("hang", 1, 3)),
    Fault("the generator answers garbage", _server("garbage", 1, 2)),
    Fault("the generator answers HTTP 500", _server("500", 1, 12)),
    Fault("the generator's answer is cut", _server("cut", 1, 3)),
    Fault("the stage is out of memory", _stage("memory")),
    Fault("the stage is killed for memory", _stage("kill")),
    Fault("the stage hangs", _stage("silent")),
    Fault("the stage segfaults", _stage("segv")),
    Fault("the stage leaves without a word", _stage("exit")),
    Fault("the stage is killed at random", _stage_killed),
    Fault("a sandbox process is killed", _sandbox_killed),
    Fault("the daemon is killed", _daemon_killed),
    Fault("everything is killed", _all_killed),
    Fault("everything is killed between rounds", _killed_between),
    Fault("power loss", _power_loss),
    Fault("the clock jumps a year ahead", _clock(365 * 86400)),
    Fault("the clock jumps a year back", _clock(-365 * 86400)),
    Fault("the database is locked for seconds", _locked),
    Fault("a corrupt checkpoint", _checkpoint(_flip)),
    Fault("a lost checkpoint", _checkpoint(Path.unlink)),
    Fault("a full disk", _disk_full, disk_mb=8),
    Fault("a read-only state directory", _read_only),
    Fault("garbage in the run's small files", _run_files),
    Fault("logs removed while it runs", _caches_gone),
]
LONG = [Fault("the database is locked for 65 s", _locked_for_a_minute)]


@contextmanager
def disk_of_its_own(folder: Path, size_mb: int) -> Iterator[None]:
    """A small file system at a folder, for as long as the block lasts.

    Raises:
        PermissionError: mounting is not allowed here.
    """
    folder.mkdir(parents=True)
    _mount("-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _mount(*arguments: str) -> None:
    """Mount something.

    Raises:
        PermissionError: that is not allowed here.
    """
    command = ["mount", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise PermissionError("there is no mount command here") from error
    if done.returncode:
        raise PermissionError(f"nothing can be mounted here: {done.stderr.strip()}")
