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
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import sandbox.pool
from sandbox import Program, Sandbox, Verdict, Word
from sandbox.levels import CHOSEN
from sandbox.process import ZygoteProcess
from scripts.sandbox_soak.kills import kill_often
from scripts.sandbox_soak.mix import Kind, Mix
from scripts.sandbox_soak.watch import Watch, memory_groups

WORKERS = 2
BURST_S, SETTLE_S = 3.0, 0.3
WARM_UP = 300
"""Programs before the first look: by then what is made once is made."""

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


def main() -> int:
    """Run both parts, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--programs", type=int, default=100_000)
    # Not C or D: there the hostile programs would be let loose on the machine's files.
    parser.add_argument("--level", default="auto", choices=("auto", *CHOSEN))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, default=20)
    asked = parser.parse_args()
    document = soak(asked.programs, asked.level, asked.seed)
    document["kill"] = kill_often(asked.kills, asked.level, asked.seed)
    document["ok"] = document["ok"] and document["kill"]["ok"]
    print(json.dumps(document, indent=2))
    return 0 if document["ok"] else 1


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


if __name__ == "__main__":
    sys.exit(main())
