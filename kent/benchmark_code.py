"""The code trainer's benchmark: a round of its own in the state directory, and its tables."""

from pathlib import Path
from typing import Any

from kent.benchmark_critic import run_benchmark_round
from kent.config import KentConfig
from trainers.tasks.swe.predictions import Prediction, write

STAGE = "trainers.code_trainer.benchmark_stage:CodeBenchmark"
MODES = ("isolated", "cold", "shared_cache", "bm25")
_PERCENT = (
    "file_acc1", "file_acc3", "file_acc5", "function_acc1", "function_acc5", "operation_acc",
    "exact", "normalised", "repaired", "resolved",
)  # fmt: skip
_NUMBERS = ("candidates_per_repair", "median_candidates", "latency_s")

Json = dict[str, Any]


def code_figures(config: KentConfig) -> Json | None:
    """Run the benchmark in the foreground; None where it was stopped or failed, which it told.

    Raises:
        AlreadyRunning: a daemon holds the state directory.
        DaemonError: another round was cut, and it has other stages.
    """
    return run_benchmark_round(config, STAGE)


def write_predictions(document: Json, path: Path) -> int:
    """Write the isolated mode's patches in SWE-bench's official form; how many."""
    model = f"kent/{document['model'] or 'untrained'}"
    found = [
        Prediction(task_id, model, patch)
        for task_id, patch in sorted(document.get("predictions", {}).items())
    ]
    return write(found, path)


def in_lines(document: Json) -> list[str]:
    """A column a mode, a line a figure; then what the figures were measured on."""
    modes = [mode for mode in MODES if document.get(mode)]
    lines = [f"{'':22}" + "".join(f"{mode:>24}" for mode in modes)]
    for name in (*_PERCENT, *_NUMBERS):
        cells = [_cell(document[mode].get(name), percent=name in _PERCENT) for mode in modes]
        if any(cell != "-" for cell in cells):
            unit = ", %" if name in _PERCENT else ""
            lines.append(f"{name + unit:22}" + "".join(f"{cell:>24}" for cell in cells))
    lines.append("")
    for mode, figure in document.get("against_bm25", {}).items():
        lines.append(f"{mode} against bm25, file @1: {_cell(figure, percent=True)} points")
    lines.append(
        f"{document['n_tasks']} tasks of {document['task_set']}; model "
        f"{document['model'] or 'none yet: nothing was learned'}"
    )
    if "judged" in document:
        lines.append(f"the tests of {len(document['judged'])} of them ran here")
    lines += [f"note: {note}" for note in document.get("notes", ())]
    return lines


def _cell(figure: Json | None, *, percent: bool) -> str:
    if figure is None or figure["value"] is None:
        return "-"
    times, form = (100, ".1f") if percent else (1, ".2f")
    value = format(times * figure["value"], form)
    if figure["low"] is None:
        return value
    return f"{value} ({times * figure['low']:{form}} to {times * figure['high']:{form}})"
