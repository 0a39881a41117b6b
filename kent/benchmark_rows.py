"""One table of what the trainers' benchmarks tell: a row a figure, with its mode and its set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A figure; ``mode``: isolated, shared_cache, cold, or the yardstick's name."""

    part: str
    name: str
    mode: str
    set: str
    figure: Json
    percent: bool = True

    def to_json(self) -> Json:
        """As the document has it: the figure with its mode and its set."""
        keys = ("value", "low", "high", "n")
        return {
            "figure": self.name,
            **{key: self.figure[key] for key in keys},
            "mode": self.mode,
            "set": self.set,
            "unit": "share" if self.percent else "number",
        }


Items = dict[str, dict[str, dict[str, float]]]
"""Values by mode, figure and item."""

UNTRAINED = {
    "critic": "random picking of the same samples",
    "fractal": "resampling at equal budget",
    "code": "the same with nothing learned",
    "ctm": "copying the input",
    "sandbox": "nothing: it is not trained",
}
"""What stands for the untrained one: the values of a part's mode ``cold``."""


def rows_of(part: str, metrics: Json) -> list[Row]:
    """The rows of a part's metrics."""
    return _ROWS[part](metrics)


def items_of(part: str, metrics: Json, loops: Mapping[str, Any] | None = None) -> Items:
    """What a part says item by item; of the fractal loop what the store has."""
    if part == "code":
        return dict(metrics.get("items", {}))
    if part == "critic":
        return _picked(metrics["results"])
    if part == "fractal":
        return dict(loops or {})
    return dict(metrics.get("items", {}))


def _picked(results: Sequence[Json]) -> Items:
    """Problem by problem, under the name of the protocol: a problem may be in two of them."""
    found: Items = {"isolated": {}, "cold": {}}
    for one in results:
        for mode, picker in (("isolated", "picked"), ("cold", "random")):
            values = one.get("items", {}).get(picker, {})
            found[mode].setdefault(f"picked, {one['protocol']}", {}).update(values)
    return found


def _critic(metrics: Json) -> list[Row]:
    rows = []
    for one in metrics["results"]:
        told = f"{one['test_set']}, {one['protocol']}"
        for name, figure in one["pickers"].items():
            mode = "cold" if name == "random" else "isolated"
            rows.append(Row("critic", f"passes, picked by {name}", mode, told, figure))
        rows.append(
            Row("critic", "AUC within problem", "isolated", told, one["auc_within_problem"], False)
        )
    return rows


def _fractal(metrics: Json) -> list[Row]:
    rows = []
    for half, told in (("python", metrics.get("problem_set", "")), ("synthetic", "synthetic")):
        for name, mode in (
            ("pass_loop", "isolated"), ("resample_equal_budget", "resampling"), ("pass1", "cold"),
        ):  # fmt: skip
            if (figure := metrics.get(f"{half}.{name}")) is not None:
                rows.append(Row("fractal", f"{half} solved", mode, told, figure))
    return rows


def _code(metrics: Json) -> list[Row]:
    names = ("file_acc1", "file_acc5", "function_acc5", "exact", "normalised", "resolved")
    return [
        Row("code", name, mode, metrics["task_set"], metrics[mode][name])
        for name in names
        for mode in ("isolated", "shared_cache", "cold", "bm25")
        if mode in metrics and metrics[mode][name]["n"]
    ]


def _ctm(metrics: Json) -> list[Row]:
    told = metrics["test_set"]
    return [
        Row("ctm", "fix_accuracy", "isolated", told, metrics["fix_accuracy"]),
        Row("ctm", "fix_accuracy", "copying", told, metrics["copy"]["fix_accuracy"]),
        Row("ctm", "clean_kept", "isolated", told, metrics["clean_kept"]),
        Row("ctm", "clean_kept", "copying", told, metrics["copy"]["clean_kept"]),
    ]


def _sandbox(metrics: Json) -> list[Row]:
    return [
        Row(
            "sandbox", "programs a second", contender, "humaneval",
            {"value": figures["programs_per_s"], "low": None, "high": None,
             "n": figures["programs"]},
            percent=False,
        )
        for contender, figures in metrics["contenders"].items()
    ]  # fmt: skip


_ROWS: dict[str, Callable[[Json], list[Row]]] = {
    "critic": _critic,
    "fractal": _fractal,
    "code": _code,
    "ctm": _ctm,
    "sandbox": _sandbox,
}
