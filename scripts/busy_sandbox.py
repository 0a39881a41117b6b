"""Does a busy machine make false timeouts? Programs that need half of their CPU limit, beside load.

Run: python scripts/busy_sandbox.py --programs 1000 --busy 3
Each program burns 0.1 s of its own CPU time, is right, and is allowed 0.2 s of CPU time and, by the
usual ratio, 1 s of wall time, while busy processes compete for the same cores. To show that the
limit is kept there too, some that burn three times as much as it run among them: they must time
out. One JSON document goes to standard output; the exit code is 0 when no verdict was wrong.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from sandbox import Call, Limits, Program, Sandbox, Tests, Verdict

CPU_S = 0.2
BURN_S = CPU_S / 2
LIMITS = Limits(cpu_s=CPU_S, wall_s=CPU_S * Limits().wall_s / Limits().cpu_s)
TESTS = Tests("data", "f", calls=(Call((1,), 2), Call((2,), 3), Call((10,), 11)))
ONE_TOO_LONG_IN = 50

PROGRAM = """
import time

def f(x):
    end = time.process_time() + {burn_s!r}
    while time.process_time() < end:
        pass
    return x + 1
"""


def main() -> int:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--programs", type=int, default=1000, help="that are right")
    parser.add_argument("--busy", type=int, default=3, help="processes beside the sandbox")
    parser.add_argument("--level", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    document = measure(asked.programs, asked.busy, asked.level, asked.seed)
    print(json.dumps(document, indent=2))
    return 0 if document["ok"] else 1


@contextmanager
def load(count: int) -> Iterator[list[psutil.Process]]:
    """Keep ``count`` processes busy meanwhile."""
    command = [sys.executable, "-S", "-c", "while True: pass"]
    # Each in a session of its own: where the kernel shares the cores out by session, they would
    # else be no more of a burden than one.
    started = [subprocess.Popen(command, start_new_session=True) for _ in range(count)]
    try:
        yield [psutil.Process(process.pid) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()


def programs(count: int, seed: int) -> list[Program]:
    """The right ones, and among them those that take too long."""
    too_long = -(-count // ONE_TOO_LONG_IN)
    made = [_program(f"right {n}", BURN_S) for n in range(count)]
    made += [_program(f"too long {n}", 3 * CPU_S) for n in range(too_long)]
    random.Random(seed).shuffle(made)
    return made


def _program(key: str, burn_s: float) -> Program:
    code = PROGRAM.format(burn_s=burn_s / len(TESTS.calls))
    return Program(key, code, TESTS, LIMITS)


def measure(count: int, busy: int, level: str, seed: int) -> dict[str, Any]:
    """Run the programs beside the load; the document of what was found."""
    cores = len(os.sched_getaffinity(0))
    with Sandbox(workers=cores, level=level) as box, load(busy) as burners:
        box.run(_program("first", 0.0))
        began = time.monotonic()
        verdicts = list(box.run_many(programs(count, seed)))
        seconds = time.monotonic() - began
        burnt = [sum(process.cpu_times()[:2]) for process in burners]
        used = box.level
    right = [verdict for verdict in verdicts if verdict.key.startswith("right")]
    too_long = [verdict for verdict in verdicts if verdict.key.startswith("too long")]
    false = [verdict for verdict in right if not verdict.passed]
    return {
        "level": used,
        "cores": cores,
        "busy": busy,
        "busy_cores": round(sum(burnt) / seconds, 2),
        "cpu_limit_s": LIMITS.cpu_s,
        "wall_limit_s": LIMITS.wall_s,
        "programs": len(right),
        "seconds": round(seconds, 1),
        "cpu_s": _spread([verdict.cpu_s for verdict in right]),
        "wall_s": _spread([verdict.wall_s for verdict in right]),
        "verdicts": dict(Counter(str(verdict.word) for verdict in right)),
        "false_timeouts": dict(Counter(_why(each) for each in false if each.word == "timeout")),
        "wrong": [f"{v.key}: {v.word} {v.failure}" for v in false][:20],
        "too_long": dict(Counter(str(verdict.word) for verdict in too_long)),
        "ok": len(right) == count
        and not false
        and bool(too_long)
        and all(verdict.word == "timeout" for verdict in too_long),
    }


def _why(verdict: Verdict) -> str:
    return verdict.failure.type if verdict.failure else ""


def _spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "median": round(statistics.median(ordered), 4),
        "p99": round(ordered[int(0.99 * len(ordered))], 4),
        "max": round(ordered[-1], 4),
    }


if __name__ == "__main__":
    sys.exit(main())
