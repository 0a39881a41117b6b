"""Does the sandbox leak or misjudge over 100,000 programs? One sandbox; honest and hostile mixed.

Run: python scripts/soak_sandbox.py --programs 100000 --level auto --seed 0
Honest programs are of the built-in problem set; hostile ones of the test suite's catalogue, where
those that end by a limit only, or cost much, are rare. Programs come in bursts of a few seconds. In
the midst of one, and after it, when nothing runs, we look at what the sandbox holds: what it keeps
more and more of while it is idle it has leaked.

Then a child process that runs a sandbox full of busy programs is killed, time and again: how long
until all that descends from it is gone? One JSON document goes to standard output, progress to
standard error; the exit code is 0 when nothing was wrong.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import random
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import psutil

import sandbox.pool
from sandbox import Call, Limits, Program, Sandbox, Tests, Verdict, Word, tests_from_json
from sandbox.levels import CHOSEN
from sandbox.process import ZygoteProcess
from trainers.tasks import builtin

WORKERS = 2
BURST_S, SETTLE_S = 3.0, 0.3
WARM_UP = 300
"""Programs before the first look: by then what is made once is made."""

CATALOGUE = Path(__file__).parents[1] / "tests" / "sandbox" / "sandbox_catalogue.py"
PLUS_ONE = Tests("data", "f", calls=(Call((1,), 2), Call((2,), 3), Call((10,), 11)))
TINY = Limits(cpu_s=0.1, wall_s=0.5)
WRONG_SHARE, HOSTILE_SHARE, COSTLY_SHARE, ENDLESS_SHARE = 0.1, 0.1, 1 / 1000, 1 / 2000
COSTLY = ["memory bomb, mmap", "memory bomb, blocks", "memory bomb, doubling", "200 MB"]
COSTLY += ["huge return", "inode exhaustion", "hash collisions", "fills /tmp", "25 imports"]
"""Those that end by themselves, but take tenths of a second or hundreds of megabytes."""

MIB = 1 << 20
ALLOWED = {
    "parent_rss_mib": 32.0,
    "zygote_rss_mib": 8.0,
    "descendants": 0.0,
    "descriptors": 0.0,
    "zombies": 0.0,
    "memory_groups": 0.0,
    "temp_entries": 10.0,
    "used_mib": 1024.0,
    "used_inodes": 1000.0,
}
"""How much more of each may be there at the end; others use the machine's temp folder and disk.

``zygote_rss_mib`` is of the largest process that descends from this one: a program, while some run.
"""

KILLED_WITHIN_S = 1.0
KILL_WAIT_S = 10.0


def main() -> int:
    """Run both parts, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--programs", type=int, default=100_000)
    # Not C or D: there the hostile programs would be let loose on the machine's files.
    parser.add_argument("--level", default="auto", choices=("auto", *CHOSEN))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--victim", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.victim:
        be_victim(asked.level)
    document = soak(asked.programs, asked.level, asked.seed)
    document["kill"] = kill_often(asked.kills, asked.level, asked.seed)
    document["ok"] = document["ok"] and document["kill"]["ok"]
    print(json.dumps(document, indent=2))
    return 0 if document["ok"] else 1


@dataclass(frozen=True)
class Kind:
    """A program to be run many times, and whether it is to pass."""

    name: str
    code: str
    tests: Tests
    passes: bool
    limits: Limits | None = None


class Mix:
    """The programs, drawn at random; the same ones for the same seed."""

    def __init__(self, seed: int, level: str) -> None:
        self._random = random.Random(seed)
        rows = [(row, tests_from_json(row.tests)) for row in builtin.rows()]
        self.right = [Kind(r.id, r.reference, tests, True) for r, tests in rows]
        self.wrong = [
            Kind(
                f"{r.id} wrong", f"def {r.entry_point}(*all, **named):\n    return None\n", t, False
            )
            for r, t in rows
        ]
        self.hostile, self.costly, self.endless = _catalogue(level)

    def draw(self) -> Kind:
        """Return the next program."""
        at = self._random.random()
        shares = (
            (ENDLESS_SHARE, self.endless),
            (COSTLY_SHARE, self.costly),
            (HOSTILE_SHARE, self.hostile),
            (WRONG_SHARE, self.wrong),
        )
        for share, kinds in shares:
            if at < share:
                return self._random.choice(kinds)
            at -= share
        return self._random.choice(self.right)


def _catalogue(level: str) -> tuple[list[Kind], list[Kind], list[Kind]]:
    """The catalogue's programs: those that end at once, costly ones, those that a limit ends."""
    if level not in CHOSEN:
        raise ValueError(f"hostile programs are not run at level {level}: it keeps no file safe")
    spec = importlib.util.spec_from_file_location("sandbox_catalogue", CATALOGUE)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{CATALOGUE} cannot be read: run this from a checkout")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    quick: list[Kind] = []
    costly: list[Kind] = []
    endless: list[Kind] = []
    for name, (expected, code) in module.CATALOGUE.items():
        if level != "A" and name in module.TMP:
            continue  # what they get depends on the level
        kind = Kind(name, _placed(code), PLUS_ONE, expected == "passed")
        if "timeout" in expected:
            endless.append(Kind(name, kind.code, PLUS_ONE, False, TINY))
        else:
            (costly if name in COSTLY else quick).append(kind)
    return quick, costly, endless


def _placed(code: str) -> str:
    """Fill in what the catalogue's programs are after: nothing of it is there to be had."""
    folder = Path(tempfile.gettempdir(), "no-such-folder", "canary")
    places = {"@CANARY@": str(folder), "@PORT@": "9", "@ABSTRACT@": "nobody"}
    for mark, value in {**places, "@PARENT@": str(os.getpid())}.items():
        code = code.replace(mark, value)
    return code


@dataclass
class Figures:
    """What was seen of one thing while nothing ran: first, last; ``most`` at any time."""

    first: float | None = None
    last: float = 0.0
    most: float = 0.0

    def add(self, value: float, *, idle: bool) -> None:
        """Take in a value."""
        self.most = max(self.most, value)
        if idle:
            self.last = value
            self.first = value if self.first is None else self.first

    def told(self) -> dict[str, float]:
        """Return them for the document."""
        return {"start": self.first or 0.0, "end": self.last, "max": self.most}

    @property
    def grown(self) -> float:
        """How much more there was at the end."""
        return self.last - (self.first or 0.0)


@dataclass
class Watch:
    """Looks at this process and what descends from it."""

    figures: dict[str, Figures] = field(default_factory=dict)
    zygotes: dict[tuple[int, float], Figures] = field(default_factory=dict)
    looks: int = 0

    def look(self, *, idle: bool) -> None:
        """Take one sample; ``idle``: nothing runs, so that every descendant is a zygote's own."""
        self.looks += 1
        me = psutil.Process()
        resident, zombies = self._descendants(me, idle=idle)
        temp = Path(tempfile.gettempdir())
        disk = os.statvfs(temp)
        values = {
            "parent_rss_mib": me.memory_info().rss / MIB,
            "zygote_rss_mib": max(resident, default=0.0),
            "descendants": len(resident) + zombies,
            "descriptors": len(list(Path("/proc/self/fd").iterdir())),
            "zombies": zombies,
            "memory_groups": len(memory_groups([os.getpid()])),
            "temp_entries": len(list(temp.iterdir())),
            "used_mib": (disk.f_blocks - disk.f_bfree) * disk.f_frsize / MIB,
            "used_inodes": disk.f_files - disk.f_ffree,
            "free_mib": disk.f_bavail * disk.f_frsize / MIB,
            "free_inodes": disk.f_favail,
        }
        for name, value in values.items():
            self.figures.setdefault(name, Figures()).add(round(value, 2), idle=idle)

    def _descendants(self, me: psutil.Process, *, idle: bool) -> tuple[list[float], int]:
        """Resident MiB of each living descendant, and how many are zombies."""
        resident, zombies = [], 0
        for process in me.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.status() == psutil.STATUS_ZOMBIE:
                    zombies += idle  # a program that has just ended is one for a moment
                    continue
                resident.append(process.memory_info().rss / MIB)
                if idle:
                    key = (process.pid, process.create_time())
                    known = self.zygotes.setdefault(key, Figures())
                    known.add(round(resident[-1], 2), idle=True)
        return resident, zombies


@dataclass
class Tally:
    """The verdicts: how many of each word, and the wrong ones."""

    words: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    wrong: list[dict[str, Any]] = field(default_factory=list)
    given: int = 0

    def take(self, verdict: Verdict, kind: Kind) -> None:
        """Count a verdict; a program that was not judged is the sandbox's fault, so wrong too."""
        self.words[str(verdict.word)] += 1
        self.kinds["honest" if kind.passes else "hostile or wrong"] += 1
        if verdict.passed != kind.passes or verdict.word is Word.NOT_JUDGED:
            told = {"program": kind.name, "verdict": verdict.word, "failure": str(verdict.failure)}
            self.wrong.append(told)


def soak(programs: int, level: str, seed: int) -> dict[str, Any]:
    """Run ``programs`` programs through one sandbox and watch what it holds."""
    watch, tally = Watch(), Tally()
    with mock.patch.object(sandbox.pool, "ZygoteProcess", wraps=ZygoteProcess) as started_zygotes:
        with Sandbox(workers=WORKERS, level=level) as box:
            mix, used = Mix(seed, box.level), box.level
            _burst(box, mix, tally, min(WARM_UP, programs), BURST_S, None)
            _settle(watch)
            started = time.monotonic()
            while tally.given < programs:
                _burst(box, mix, tally, programs, BURST_S, watch)
                _settle(watch)
                _progress(tally, watch, started)
            seconds = time.monotonic() - started
        restarts = started_zygotes.call_count - WORKERS
    document = _document(used, seed, tally, watch, restarts, seconds)
    document["after_close"] = {
        "descendants": len(psutil.Process().children(recursive=True)),
        "memory_groups": len(memory_groups([os.getpid()])),
    }
    document["ok"] = document["ok"] and not any(document["after_close"].values())
    return document


def _burst(
    box: Sandbox, mix: Mix, tally: Tally, most: int, seconds: float, watch: Watch | None
) -> None:
    """Run programs for some seconds, till ``most`` were given in all; look once in the midst."""
    began = time.monotonic()
    kinds: dict[str, Kind] = {}

    def source() -> Iterator[Program]:
        while tally.given < most and time.monotonic() < began + seconds:
            kind = mix.draw()
            key = str(tally.given)
            kinds[key] = kind
            tally.given += 1
            yield Program(key, kind.code, kind.tests, kind.limits)

    for verdict in box.run_many(source()):
        tally.take(verdict, kinds.pop(verdict.key))
        if watch is not None and time.monotonic() > began + seconds / 2:
            watch.look(idle=False)
            watch = None
    if kinds:
        tally.wrong.append({"program": sorted(kinds)[:9], "verdict": "none", "failure": "lost"})


def _settle(watch: Watch) -> None:
    """Look when nothing runs: zygotes that are not needed any more get a moment to end."""
    time.sleep(SETTLE_S)
    watch.look(idle=True)


def _progress(tally: Tally, watch: Watch, started: float) -> None:
    seconds = time.monotonic() - started
    held = {name: figures.last for name, figures in watch.figures.items()}
    line = {"programs": tally.given, "seconds": round(seconds), "wrong": len(tally.wrong), **held}
    print(json.dumps(line), file=sys.stderr, flush=True)


def _document(
    level: str, seed: int, tally: Tally, watch: Watch, restarts: int, seconds: float
) -> dict[str, Any]:
    """Return what was found; ``broken`` names each thing that is not as it should be."""
    grown = {name: watch.figures[name].grown for name in ALLOWED}
    broken = [name for name, most in ALLOWED.items() if grown[name] > most]
    worst = max((figures.grown for figures in watch.zygotes.values()), default=0.0)
    if worst > ALLOWED["zygote_rss_mib"]:
        broken.append("a zygote grew")
    if tally.wrong or sum(tally.words.values()) != tally.given:
        broken.append("verdicts")
    return {
        "level": level,
        "seed": seed,
        "programs": tally.given,
        "seconds": round(seconds, 1),
        "programs_per_s": round((tally.given - WARM_UP) / seconds, 1) if seconds else None,
        "kinds": dict(tally.kinds),
        "verdicts": dict(tally.words),
        "wrong": tally.wrong[:50],
        "wrong_count": len(tally.wrong),
        "zygote_restarts": restarts,
        "looks": watch.looks,
        "held": {name: figures.told() for name, figures in watch.figures.items()},
        "zygotes_seen": len(watch.zygotes),
        "most_growth_of_a_zygote_mib": round(worst, 2),
        "broken": broken,
        "ok": not broken,
    }


def be_victim(level: str) -> None:
    """Run busy programs till killed; say when they run."""
    with Sandbox(workers=WORKERS, level=level) as box:
        box.run(Program("first", "def f(x):\n    return x + 1\n", PLUS_ONE))
        limits = Limits(cpu_s=300.0, wall_s=600.0)
        codes = ["def f(x):\n    while True: pass\n", "import time\ntime.sleep(600)\n"]
        threading.Timer(0.3, print, ("up",), {"flush": True}).start()
        programs = [Program(str(n), code, PLUS_ONE, limits) for n, code in enumerate(codes)]
        list(box.run_many(programs))


def kill_often(times: int, level: str, seed: int) -> dict[str, Any]:
    """Kill a process that runs a sandbox, time and again; how long its descendants outlived it."""
    drawn = random.Random(seed)
    rounds = [_kill_once(level, drawn.uniform(0, 0.2)) for _ in range(times)]
    seconds = [each.seconds for each in rounds]
    sizes = [each.descendants for each in rounds]
    left = sum(each.left for each in rounds)
    Sandbox(level=level).close()  # the next one's start removes the groups that were left
    groups = len(memory_groups([each.pid for each in rounds]))
    enough = not sizes or min(sizes) >= 2 * WORKERS  # a zygote and a program for each
    return {
        "times": times,
        "descendants": {"min": min(sizes, default=0), "max": max(sizes, default=0)},
        "gone_ms": {
            "median": round(1000 * statistics.median(seconds), 2) if seconds else None,
            "max": round(1000 * max(seconds, default=0.0), 2),
        },
        "left": left,
        "memory_groups_left": groups,
        "ok": enough and not left and not groups and max(seconds, default=0.0) < KILLED_WITHIN_S,
    }


@dataclass(frozen=True)
class Killed:
    """Who was killed, how many it had, when all of them were gone, and how many were not."""

    pid: int
    descendants: int
    seconds: float
    left: int


def _kill_once(level: str, after_s: float) -> Killed:
    command = [sys.executable, __file__, "--victim", "--level", level]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as victim:
        if victim.stdout is None or victim.stdout.readline() != b"up\n":
            raise SystemExit("the process that was to be killed did not come up")
        time.sleep(after_s)
        members = family(victim.pid)
        pidfds = [fd for pid in members if (fd := _pidfd(pid)) is not None]
        began = time.monotonic()
        victim.send_signal(signal.SIGKILL)
        ended = _all_ended(pidfds)
        seconds = time.monotonic() - began
        for fd in pidfds:
            os.close(fd)
    left = family(victim.pid)  # one that was not seen before would be found here
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return Killed(victim.pid, len(members), seconds, len(left) + (not ended))


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _all_ended(pidfds: list[int]) -> bool:
    """Wait until each of the processes has ended; False when some had not in time."""
    deadline = time.monotonic() + KILL_WAIT_S
    waiting = set(pidfds)
    while waiting and time.monotonic() < deadline:
        ready, _, _ = select.select(list(waiting), [], [], deadline - time.monotonic())
        waiting -= set(ready)
    return not waiting


def family(owner: int) -> list[int]:
    """Living processes of the zygotes that ``owner`` started, whoever is their parent now.

    Each has the zygote's command line, which ends with the owner's pid.
    """
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        command = process.info["cmdline"] or []
        boot = any(part.endswith("boot.py") for part in command)
        if boot and command[-1] == str(owner) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


def memory_groups(owners: list[int]) -> list[Path]:
    """Control groups that sandboxes of these processes made."""
    groups = Path("/sys/fs/cgroup").rglob("kent-sandbox-*")
    return [path for path in groups if path.name.split("-")[2] in map(str, owners)]


if __name__ == "__main__":
    sys.exit(main())
