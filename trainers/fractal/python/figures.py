"""The figures of the loop on Python: beside equal-budget resampling, paired by problem."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from memory.records import Figure
from memory.repair_loops import LoopRow
from trainers import statistics
from trainers.fractal.domain import FLOOD


def python_figures(
    loops: Mapping[str, LoopRow], rivals: Mapping[str, LoopRow], seed: int
) -> dict[str, Any]:
    """What a report and the benchmark show; every figure with an interval over problems.

    ``pass1``: the flood's mean pass rate; ``pass_loop`` and ``resample_equal_budget``: the chosen
    program passes the hidden tests; ``difference``: of the two, paired.

    Args:
        loops: by problem, in evaluation.
        rivals: the same problems, resampled.
        seed: of the bootstrap.
    """
    ids = sorted(loops.keys() & rivals.keys())
    ours = np.array([float(bool(loops[one].right)) for one in ids])
    theirs = np.array([float(bool(rivals[one].right)) for one in ids])
    first = np.array([_flood_rate(loops[one]) for one in ids])
    return {
        "pass1": statistics.rate(first, seed=seed),
        "pass_loop": statistics.rate(ours, seed=seed),
        "resample_equal_budget": statistics.rate(theirs, seed=seed),
        "difference": statistics.mean_difference(ours, theirs, seed=seed),
        "tokens_per_solved": {
            "loop": _per_solved(loops, ids, seed),
            "resample": _per_solved(rivals, ids, seed),
        },
        "by_arm": _by_arm([loops[one] for one in ids], seed),
        "by_error_kind": _by_kind(loops, rivals, ids, seed),
    }


def as_json(found: Any) -> Any:
    """Figures, wherever they stand, in the form of ``--json``."""
    if isinstance(found, Figure):
        return found.to_json()
    if isinstance(found, Mapping):
        return {name: as_json(one) for name, one in found.items()}
    return [as_json(one) for one in found] if isinstance(found, list | tuple) else found


def _flood_rate(row: LoopRow) -> float:
    flood = [one["hidden"] for one in row.trace["programs"] if one["arm"] == FLOOD]
    return float(np.mean(flood)) if flood else 0.0


def _per_solved(rows: Mapping[str, LoopRow], ids: Sequence[str], seed: int) -> Figure:
    """Rendered tokens over solved problems, the interval by drawing problems."""
    tokens = [float(rows[one].tokens) for one in ids]
    solved = [float(bool(rows[one].right)) for one in ids]
    return statistics.ratio_of_means(tokens, solved, seed=seed)


def _by_arm(rows: Sequence[LoopRow], seed: int) -> list[dict[str, Any]]:
    """Of each arm: how often a patch found something, what it cost, and how often it was right."""
    patches: defaultdict[str, list[tuple[str, float, float]]] = defaultdict(list)
    right: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
    for row in rows:
        for step in row.trace["steps"]:
            if step["arm"] != FLOOD:
                patches[step["arm"]].append(
                    (row.task, float(step["passed"]), float(step["tokens"]))
                )
        for one in row.trace["programs"]:
            if one["arm"] != FLOOD and one["kind"] == "passed":
                right[one["arm"]].append((row.task, float(one["hidden"])))
    return [
        {
            "arm": arm,
            "patches": len(found),
            "problems": len({task for task, _, _ in found}),
            "passes_visible": _clustered([(task, won) for task, won, _ in found], seed),
            "tokens_per_patch": _clustered([(task, cost) for task, _, cost in found], seed),
            "right_of_passing": _clustered(right[arm], seed),
        }
        for arm, found in sorted(patches.items())
    ]


def _clustered(values: Sequence[tuple[str, float]], seed: int) -> Figure:
    """A mean over patches or programs, with an interval over the problems that they are of."""
    sums: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for task, value in values:
        sums[task][0] += value
        sums[task][1] += 1
    return statistics.ratio_of_means(
        [one[0] for one in sums.values()], [one[1] for one in sums.values()], seed=seed
    )


def _by_kind(
    loops: Mapping[str, LoopRow], rivals: Mapping[str, LoopRow], ids: Sequence[str], seed: int
) -> list[dict[str, Any]]:
    """The problems whose flood did not pass, by how its nearest program failed."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for one in ids:
        if loops[one].outcome != "first":
            flood = loops[one].trace["steps"][0]
            groups[flood["kind"]].append(one)
    return [
        {
            "kind": kind,
            "pass_loop": statistics.rate(
                np.array([float(bool(loops[one].right)) for one in members]), seed=seed
            ),
            "resample_equal_budget": statistics.rate(
                np.array([float(bool(rivals[one].right)) for one in members]), seed=seed
            ),
        }
        for kind, members in sorted(groups.items())
    ]
