"""What a solver made of a task, and the figures over tasks: localisation, repair, latency."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from memory.records import Figure
from memory.repair_records import Outcome
from trainers import statistics
from trainers.code_trainer.comparison import exact, normalised
from trainers.code_trainer.examples import has_repository
from trainers.code_trainer.regions import edited_functions, largest_region_operation
from trainers.tasks.swe.types import SWETask

FILE_AT, FUNCTION_AT = (1, 3, 5), (1, 5)


@dataclass(frozen=True)
class Solution:
    """A solver's answer to a task; nothing in it was taken from the truth.

    ``files``: paths, the likeliest first. ``functions``: qualified names by path, likewise.
    ``operation``: the one expected of the largest change. ``patches``: changed texts by path, the
    first is the answer. ``candidates``: programs run until the first that passes the tests that may
    be seen, or in all. ``confidence``: calibrated, that the first file is right.
    """

    task_id: str
    files: tuple[str, ...] = ()
    functions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    operation: str | None = None
    patches: tuple[Mapping[str, str], ...] = ()
    outcome: Outcome = "unrepaired"
    candidates: int = 0
    confidence: float | None = None
    seconds: float = 0.0
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passes_visible(self) -> bool:
        """True when a patch passes the tests that the search may see."""
        return self.outcome in ("resolved", "plausible", "overfitted")


@dataclass(frozen=True)
class Scored:
    """A solution beside the truth; None where the task does not ask the question.

    ``file_rank``: of the last gold file, from 0, so that all of them are within the first k when it
    is below k, and None where the tree is only what the truth changes: there is no file to find.
    ``function_rank`` likewise of the changed functions within the gold files.
    """

    task_id: str
    file_rank: float | None
    function_rank: float | None
    operation: bool | None
    exact: bool | None
    normalised: bool | None
    resolved: bool | None
    passes_visible: bool | None
    candidates: int | None
    seconds: float
    confidence: float | None = None


def score(task: SWETask, solution: Solution) -> Scored:
    """Compare a solution with the truth of its task."""
    gold = gold_files(task)
    judged = task.judge is not None and task.judge.kind == "program"
    ranks = [_rank(path, solution.files) for path in gold]
    want = changed_functions(task)
    wanted = [
        _rank(name, solution.functions.get(path, ()))
        for path, names in want.items()
        for name in names
    ]
    operation = largest_region_operation(task.code_before, task.code_after)
    patched = [{**task.code_before, **patch} for patch in solution.patches]
    same = any(exact(patch, task.code_after) for patch in patched)
    return Scored(
        task.task_id,
        file_rank=max(ranks) if has_repository(task) and ranks else None,
        function_rank=max(wanted) if task.tree is not None and wanted else None,
        operation=None if solution.operation is None else solution.operation == operation,
        exact=same,
        normalised=same or any(normalised(patch, task.code_after) for patch in patched),
        resolved=solution.outcome == "resolved" if judged else None,
        passes_visible=solution.passes_visible if judged else None,
        candidates=solution.candidates if judged else None,
        seconds=solution.seconds,
        confidence=solution.confidence if task.tree is not None else None,
    )


def changed_functions(task: SWETask) -> Mapping[str, Sequence[str]]:
    """Qualified names of the existing functions that the truth changes, by path."""
    return {
        path: edited_functions(task.code_before[path], task.code_after.get(path, ""))
        for path in gold_files(task)
    }


def gold_files(task: SWETask) -> list[str]:
    """The existing files that the truth changes."""
    return [
        path for path, text in sorted(task.code_before.items()) if task.code_after.get(path) != text
    ]


def figures(scored: Sequence[Scored], *, seed: int = 0) -> dict[str, Figure]:
    """All figures of ``kent benchmark code``, each over the tasks that ask for it.

    Rates have Wilson's interval; ``candidates_per_repair``, over the tasks that were repaired, and
    ``latency_s`` have a bootstrap's over tasks.
    """
    found: dict[str, Figure] = {}
    for k in FILE_AT:
        found[f"file_acc{k}"] = _within(scored, "file_rank", k)
    for k in FUNCTION_AT:
        found[f"function_acc{k}"] = _within(scored, "function_rank", k)
    names = {
        "operation_acc": "operation",
        "exact": "exact",
        "normalised": "normalised",
        "resolved": "resolved",
        "repaired": "passes_visible",
    }
    for name, field_name in names.items():
        values = [v for one in scored if (v := getattr(one, field_name)) is not None]
        found[name] = statistics.wilson(sum(values), len(values))
    tried = [one.candidates for one in scored if one.passes_visible and one.candidates is not None]
    found["candidates_per_repair"] = statistics.mean(tried, seed=seed)
    found["median_candidates"] = _median(tried, seed)
    found["latency_s"] = statistics.mean([one.seconds for one in scored], seed=seed)
    told = [
        (one.confidence, float(one.file_rank < 1))
        for one in scored
        if one.confidence is not None and one.file_rank is not None
    ]
    found["ece"] = _ece(told, seed)
    return found


def _ece(told: Sequence[tuple[float, float]], seed: int) -> Figure:
    if not told:
        return Figure(None, None, None, 0)
    probabilities, right = (np.array(column) for column in zip(*told, strict=True))
    return statistics.ece(probabilities, right, [str(i) for i in range(len(told))], seed=seed)


def _within(scored: Sequence[Scored], name: str, k: int) -> Figure:
    ranks = [rank for one in scored if (rank := getattr(one, name)) is not None]
    return statistics.wilson(sum(rank < k for rank in ranks), len(ranks))


def _median(values: Sequence[int], seed: int) -> Figure:
    if not values:
        return Figure(None, None, None, 0)
    column = np.asarray(values, float)
    draws = np.random.default_rng(seed).choice(column, (2000, len(column)))
    low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
    return Figure(float(np.median(column)), float(low), float(high), len(column))


def _rank(wanted: str, ranked: Sequence[str]) -> float:
    return float(ranked.index(wanted)) if wanted in ranked else float("inf")
