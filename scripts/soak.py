"""Hundreds of rounds of a tiny stage: what of the daemon and of its folder grows, and what not.

    python scripts/soak.py [--rounds 300] [--from 50] [--json FILE]

After each round it looks at the daemon: resident memory, file handles, threads, children; and at
the state directory by part. Between the rounds ``--from`` and the last one the memory must grow by
less than 5 %, over all looks, of which some meet a backup or a stage's start, and over those at
rest; handles, threads and children not at all. Every part of the folder but the database, whose
samples all stay, must keep to its bound: the checkpoints and the backups that retention leaves and
one more of each, which is being made; of the database's log what the store lets it keep.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kent.disk import used_bytes
from memory.maintenance import verify
from scripts.faults.stage import CHECKPOINT_BYTES
from scripts.faults.world import World

_ROUND_S = 900  # at most, on a machine that has other things to do
_WINDOW = 10  # rounds whose median stands for a moment
_MOST_GROWTH = 0.05
_CHECKPOINTS = 4  # champion, predecessor, and two candidates, as the world's settings say
_BACKUPS = 3
_LOG_BYTES = 64 * 2**20  # journal_size_limit of the store's connections
_PARTS = ("checkpoints", "backups", "logs", "run")


@dataclass(frozen=True)
class Look:
    """The daemon and its folder after a round; sizes are bytes."""

    round: int
    seconds: float
    memory: int
    handles: int
    threads: int
    children: int
    database: int
    log: int
    parts: dict[str, int]


def main() -> int:
    """Run the rounds and judge."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="kent-soak-") as scratch:
        looks, problems = _run(Path(scratch), options.rounds, options.json)
    problems += judge(looks, options.since)
    _write(options.json, looks, problems)
    sys.stdout.write("\n".join(_table(looks, options.since)) + "\n")
    sys.stdout.write("\n".join(problems or ["nothing grows that should not"]) + "\n")
    return 1 if problems else 0


def judge(looks: list[Look], since: int) -> list[str]:
    """What grew that should not have between round ``since`` and the last."""
    if len(looks) < since + _WINDOW:
        return [f"only {len(looks)} rounds were seen"]
    first, last = looks[since - 1 : since - 1 + _WINDOW], looks[-_WINDOW:]
    found = []
    for name, (before, after) in _memory(first, last).items():
        if after > before * (1 + _MOST_GROWTH):
            found.append(f"resident memory {name} grew from {before:.0f} to {after:.0f} bytes")
    # By halves: where rounds are slow, ten looks in a row may each meet a backup, with its handles.
    middle = (since - 1 + len(looks)) // 2
    for name in ("handles", "threads", "children"):
        early, late = looks[since - 1 : middle], looks[middle:]
        before, after = (min(getattr(look, name) for look in part) for part in (early, late))
        if after > before:
            found.append(f"{name} grew from {before} to {after}")
    return found + _over_bounds(looks)


def _memory(first: list[Look], last: list[Look]) -> dict[str, tuple[float, float]]:
    """The median of the resident memory, in bytes, around both moments."""
    return {
        "over all looks": (median(one.memory for one in first), median(one.memory for one in last)),
        "at rest": (
            median(one.memory for one in _at_rest(first)),
            median(one.memory for one in _at_rest(last)),
        ),
    }


def _over_bounds(looks: list[Look]) -> list[str]:
    """The parts of the folder that were larger at a look than they may be, each once."""
    found: dict[str, str] = {}
    largest = 0
    for look in looks:
        largest = max(largest, look.database + look.log)  # a copy has the pages of both
        bounds = {
            "checkpoints": (look.parts["checkpoints"], (_CHECKPOINTS + 1) * CHECKPOINT_BYTES),
            "backups": (look.parts["backups"], (_BACKUPS + 1) * largest),
            "log": (look.log, _LOG_BYTES),
        }
        for part, (size, bound) in bounds.items():
            if size > bound:
                text = f"{part} came to {size} bytes in round {look.round}, over {bound}"
                found.setdefault(part, text)
    return list(found.values())


def _at_rest(looks: list[Look]) -> list[Look]:
    """The looks with the fewest handles: others came while a backup was made or a stage started."""
    fewest = min(look.handles for look in looks)
    return [look for look in looks if look.handles == fewest]


def _run(folder: Path, rounds: int, file: Path | None) -> tuple[list[Look], list[str]]:
    """Run the rounds; what was seen so far is in the file now and then, should we be cut."""
    looks: list[Look] = []
    began = time.monotonic()
    # No silence is a fault here: on a machine that has other things to do, a stage may be slow.
    with World(folder, rounds, interval_minutes=0.001, silence_s=_ROUND_S / 10) as world:
        while len(looks) < rounds and world.wait_for(
            lambda: world.rounds_done() > len(looks), _ROUND_S
        ):
            processes = world.processes()
            if processes:
                looks.append(_look(world, processes[0], time.monotonic() - began))
                if len(looks) % 25 == 0:
                    _say(f"round {len(looks)}: {looks[-1]}")
                    _write(file, looks, ["cut"])
        problem = world.finish()
        left = [str(one.pid) for one in world.processes()]
        problems = [*([problem] if problem else []), *(f"process {pid} was left" for pid in left)]
        world.kill_all()
        return looks, problems + verify(world.state)


def _look(world: World, daemon: psutil.Process, seconds: float) -> Look:
    with daemon.oneshot():
        return Look(
            round=world.rounds_done(),
            seconds=round(seconds, 1),
            memory=daemon.memory_info().rss,
            handles=daemon.num_fds(),
            threads=daemon.num_threads(),
            children=len(daemon.children()),
            database=(world.state / "kent.db").stat().st_size,
            log=used_bytes(world.state / "kent.db-wal"),
            parts={part: used_bytes(world.state / part) for part in _PARTS},
        )


def _write(file: Path | None, looks: list[Look], problems: list[str]) -> None:
    if file:
        document = {"problems": problems, "looks": [asdict(look) for look in looks]}
        file.write_text(json.dumps(document))


def _table(looks: list[Look], since: int) -> list[str]:
    """The daemon at some rounds."""
    names = ("memory MB", "handles", "threads", "children", "database MB", *_PARTS)
    lines = ["round  seconds  " + "  ".join(f"{name:>11}" for name in names)]
    wanted = sorted({1, since, *range(since, len(looks), 50), len(looks)})
    for look in [looks[number - 1] for number in wanted if 0 < number <= len(looks)]:
        counts = [look.handles, look.threads, look.children]
        sizes = [look.database, *(look.parts[part] for part in _PARTS)]
        values = [look.memory / 2**20, *counts, *(size / 2**20 for size in sizes)]
        figures = "  ".join(f"{value:11.1f}" for value in values)
        lines.append(f"{look.round:5}  {look.seconds:7.0f}  {figures}")
    first = looks[since - 1 : since - 1 + _WINDOW]
    for end in sorted({*range(300, len(looks), 300), len(looks)} if len(first) == _WINDOW else []):
        for name, (before, after) in _memory(first, looks[end - _WINDOW : end]).items():
            growth = f"{before / 2**20:.2f} to {after / 2**20:.2f} MB ({after / before - 1:+.1%})"
            lines.append(f"resident memory {name}, rounds {since} and {end}: {growth}")
    return lines


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--from", dest="since", type=int, default=50, help="the round to compare")
    parser.add_argument("--json", type=Path, help="also write every look to this file")
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
