"""The CTM's benchmark: a round of its own in the state directory, and its table."""

from typing import Any

from kent.benchmark_critic import run_benchmark_round
from kent.config import KentConfig

STAGE = "trainers.ctm.benchmark:CTMBenchmark"
_PERCENT = (
    "fix_accuracy", "executed_fix_accuracy", "executed_fix_accuracy_proposer", "clean_kept",
    "token_accuracy", "lexeme_accuracy", "lexeme_accuracy_copy", "localisation_acc1",
)  # fmt: skip
_NUMBERS = ("ece", "auroc", "auroc_certainty", "samples_per_s")
_BUDGETS = {"equal_seconds": "equal seconds", "equal_samples": "equal samples"}

Json = dict[str, Any]


def ctm_figures(config: KentConfig) -> Json | None:
    """Run the benchmark in the foreground; None where it was stopped or failed, which it told.

    Raises:
        AlreadyRunning: a daemon holds the state directory.
        DaemonError: another round was cut, and it has other stages.
    """
    return run_benchmark_round(config, STAGE)


def in_lines(document: Json) -> list[str]:
    """A table for each budget: a column a model, a line a figure."""
    lines: list[str] = []
    for budget, told in _BUDGETS.items():
        lines += [*_table(document[budget], told), ""]
    kept = document["copy"]["clean_kept"]
    lines.append(
        f"copying the input repairs 0 % and keeps {_cell(kept, 100, '.1f')} % of sound programs"
    )
    lines.append(
        f"{document['seconds_each']:g} s each, then {document['samples_each']} samples each; "
        f"measured on {document['test_set']}"
    )
    lines += [f"note: {note}" for note in document.get("notes", ())]
    return lines


def _table(models: Json, told: str) -> list[str]:
    lines = [f"{told:24}" + "".join(f"{name:>26}" for name in models)]
    for name in _PERCENT:
        lines.append(_line(f"{name}, %", [_cell(m[name], 100, ".1f") for m in models.values()]))
    for name in _NUMBERS:
        lines.append(_line(name, [_cell(m[name], 1, ".3g") for m in models.values()]))
    types = dict.fromkeys(name for m in models.values() for name in m["fix_accuracy_by_type"])
    for name in types:
        cells = [_cell(m["fix_accuracy_by_type"].get(name), 100, ".1f") for m in models.values()]
        lines.append(_line(f"  {name}, %", cells))
    for part in ("edits", "tick"):
        longest = max(len(m[f"fix_accuracy_by_{part}"]) for m in models.values())
        for at in range(longest):
            row = [m[f"fix_accuracy_by_{part}"][at : at + 1] for m in models.values()]
            cells = [_cell(one[0] if one else None, 100, ".1f") for one in row]
            if any(cell != "-" for cell in cells):
                lines.append(_line(f"  {part} {at + 1}, %", cells))
    for name in ("n", "weights", "trained_samples", "trained_seconds"):
        lines.append(_line(name, [f"{m[name]:,}" for m in models.values()]))
    return lines


def _line(name: str, cells: list[str]) -> str:
    return f"{name:24}" + "".join(f"{cell:>26}" for cell in cells)


def _cell(figure: Json | None, times: float, form: str) -> str:
    if figure is None or figure["value"] is None:
        return "-"
    value = format(times * figure["value"], form)
    if figure["low"] is None:
        return value
    return f"{value} ({times * figure['low']:{form}} to {times * figure['high']:{form}})"
