"""The CTM's benchmark: a round of its own in the state directory, and its table."""

from pathlib import Path
from typing import Any

from kent.benchmark_critic import run_benchmark_round
from kent.config import KentConfig

STAGE = "trainers.ctm.benchmark:CTMBenchmark"
_PERCENT = (
    "fix_accuracy", "fix_accuracy_several", "executed_fix_accuracy",
    "executed_fix_accuracy_proposer", "clean_kept", "token_accuracy", "lexeme_accuracy",
    "lexeme_accuracy_copy", "localisation_acc1",
)  # fmt: skip
# A model without ticks has none of them.
_OF_TICKS = (
    "tick_gain", "tick_gain_several", "ticks_spent", "fix_accuracy_early", "clean_kept_early",
    "fix_accuracy_early_difference",
)  # fmt: skip
_NUMBERS = ("ece_before", "ece", "auroc", "auroc_certainty", "samples_per_s")
_FIRST = 34  # characters of the first column
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
        lines += _compared(document["differences"][budget], told)
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


def write_plots(document: Json, folder: Path) -> list[Path]:
    """Write the plots of the CTM's ticks; none where it was not among the models."""
    from kent import ctm_plots  # matplotlib takes its time

    ctm = document["equal_seconds"].get("ctm")
    return ctm_plots.write_plots(ctm["analysis"], folder) if ctm else []


def _compared(others: Json, told: str) -> list[str]:
    """The CTM less each other model on the same bugs, in points."""
    lines = []
    for kind, parts in others.items():
        for part, one in parts.items():
            points = _cell(one["fix_accuracy"], 100, "+.1f")
            lines.append(
                f"ctm less {kind}, {told}, {part.replace('_', ' ')}: {points} points, "
                f"n {one['fix_accuracy']['n']}, only ctm {one['only_ours']}, only {kind} "
                f"{one['only_theirs']}, p {one['p_better']:.2g} better, {one['p_worse']:.2g} worse"
            )
    return [*lines, ""] if lines else []


def _table(models: Json, told: str) -> list[str]:
    lines = [f"{told:{_FIRST}}" + "".join(f"{name:>26}" for name in models)]
    for name in _PERCENT:
        lines.append(_line(f"{name}, %", [_cell(m[name], 100, ".1f") for m in models.values()]))
    for name in _OF_TICKS:
        cells = [_cell(m.get(name), 100, ".1f") for m in models.values()]
        if any(cell != "-" for cell in cells):
            lines.append(_line(f"{name}, %", cells))
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
    return f"{name:{_FIRST}}" + "".join(f"{cell:>26}" for cell in cells)


def _cell(figure: Json | None, times: float, form: str) -> str:
    if figure is None or figure["value"] is None:
        return "-"
    value = format(times * figure["value"], form)
    if figure["low"] is None:
        return value
    return f"{value} ({times * figure['low']:{form}} to {times * figure['high']:{form}})"
