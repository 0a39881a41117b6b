"""SelfImprovementManager: what was learned and how repairs went, round by round, by query alone.

Source: the seed's ``SelfImprovementManager`` ("persistence + reporting"; code trainer §4.1). In the
place of its JSON file is the store: what an observer, an accumulator or a memory learns is kept
when it is learned, and this class only reads.
"""

from collections import defaultdict
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Self

from memory.hologram.circuits import CircuitObserver
from memory.hologram.intervals import median, ratio, wilson
from memory.records import Figure
from memory.repair_records import PASSED, MemoryVersion, RepairRow
from memory.store import Store

# What came outside of a round, by a command, counts for the last one that had begun.
_LEARNED = """
SELECT coalesce(
    {run}, (SELECT max(id) FROM rounds WHERE started_at <= x.created_at), 0) AS round_id,
    count(*) AS n
FROM {table} x GROUP BY 1
"""
_RUN = "(SELECT round_id FROM stage_runs WHERE id = x.stage_run_id)"
_TABLES = {
    "patterns": ("patterns", "NULL"),
    "evidence": ("pattern_evidence", _RUN),
    "facts": ("facts", _RUN),
    "attempts": ("constraints", _RUN),
    "observations": ("observations", _RUN),
}
# Without what the rows carry beside: patches and evidence are most of the table.
_REPAIRS = """
SELECT s.round_id, r.task_id, r.mode, r.outcome, r.candidates, r.seconds, r.model_id, r.stage_run_id
FROM repairs r LEFT JOIN stage_runs s ON s.id = r.stage_run_id ORDER BY r.id
"""


@dataclass(frozen=True)
class RepairFigures:
    """How the repairs of one mode by one model went; ``model`` None: by none, or by no version.

    ``repaired``: of the tasks that tests ran on, those for which a candidate passed the tests that
    it was searched with. ``resolved``: those that the judging tests passed as well. ``correct``: of
    the patches that passed the one and were judged by the other, those that passed both.
    ``candidates_per_repair``: all candidates that were tried divided by the tasks repaired;
    ``candidates_median``: over the repaired tasks.
    """

    mode: str
    model: str | None
    tasks: int
    repaired: Figure
    resolved: Figure
    correct: Figure
    candidates_per_repair: Figure
    candidates_median: Figure

    def to_json(self) -> dict[str, Any]:
        """The form that ``--json`` outputs use."""
        figures = {k: v.to_json() for k, v in vars(self).items() if isinstance(v, Figure)}
        return {"mode": self.mode, "model": self.model, "tasks": self.tasks, **figures}


@dataclass(frozen=True)
class RoundFigures:
    """What was known at the end of a round, and how the repairs of that round went by mode.

    ``learned``: how many patterns, evidence, facts, attempts and observations there were by then.
    """

    round_id: int
    learned: dict[str, int]
    repairs: tuple[RepairFigures, ...]

    def to_json(self) -> dict[str, Any]:
        """The form that ``--json`` outputs use."""
        return {
            "round": self.round_id,
            **self.learned,
            "repairs": [figures.to_json() for figures in self.repairs],
        }


class SelfImprovementManager:
    """The observer, and the figures that ``kent report`` shows of what it and the others learned.

    Args:
        store: where all of it is; None: nothing is, and nothing is kept.
        before: the observer's, as there.
        writes: the observer's, as there.
    """

    def __init__(
        self, store: Store | None = None, *, before: float | None = None, writes: bool = True
    ) -> None:
        self._store = store
        self.observer = CircuitObserver(store, before=before, writes=writes)

    def snapshot(self) -> Self:
        """A copy whose observer learns for itself alone."""
        other = copy(self)
        other.observer = self.observer.snapshot()
        return other

    def rounds(self) -> list[RoundFigures]:
        """The figures of each round, oldest first."""
        repairs: dict[int | None, list[RepairRow]] = defaultdict(list)
        for round_id, row in self._repairs():
            repairs[round_id].append(row)
        return [
            RoundFigures(round_id, known, tuple(repair_figures(repairs[round_id])))
            for round_id, known in self.learned().items()
        ]

    def learned(self) -> dict[int, dict[str, int]]:
        """How many patterns, evidence, facts, attempts and observations there were by each round.

        By the round's id, oldest first: what was known at its end.
        """
        if self._store is None:
            return {}
        ids = [row.id for row in self._store.rounds()]
        counts = {name: self._counted(name, ids) for name in _TABLES}
        return {
            round_id: {name: of_rounds[place] for name, of_rounds in counts.items()}
            for place, round_id in enumerate(ids)
        }

    def repairs(self, round_id: int | None = None) -> list[RepairFigures]:
        """How the repairs of a round went by mode and model; None: of all, and of no round."""
        rows = self._repairs()
        return repair_figures([row for of, row in rows if round_id in (None, of)])

    def versions(self) -> list[MemoryVersion]:
        """The versions of all neural memories' weights, by memory, oldest first."""
        if self._store is None:
            return []
        names = [row.name for row in self._store.memories()]
        return [version for name in names for version in self._store.memory_versions(name)]

    def _repairs(self) -> list[tuple[int | None, RepairRow]]:
        """All repairs with their rounds, without patches and evidence."""
        rows = self._store.query(_REPAIRS) if self._store else []
        return [(row.pop("round_id"), RepairRow(**row)) for row in rows]

    def _counted(self, name: str, ids: Sequence[int]) -> list[int]:
        """How many there were at the end of each round."""
        table, run = _TABLES[name]
        rows = self._store.query(_LEARNED.format(table=table, run=run)) if self._store else []
        new = {row["round_id"]: row["n"] for row in rows}
        return list(accumulate((new.get(number, 0) for number in ids), initial=new.get(0, 0)))[1:]


def repair_figures(rows: Sequence[RepairRow]) -> list[RepairFigures]:
    """The figures of each mode and model among these repairs, by name; intervals over repairs."""
    apart: dict[tuple[str, str], list[RepairRow]] = defaultdict(list)
    for row in rows:
        apart[row.mode, row.model_id or ""].append(row)
    return [_figures(mode, model or None, apart[mode, model]) for mode, model in sorted(apart)]


def _figures(mode: str, model: str | None, rows: Sequence[RepairRow]) -> RepairFigures:
    judged = [row for row in rows if row.outcome != "unjudged"]
    passed = [row.outcome in PASSED for row in judged]
    resolved = sum(row.outcome == "resolved" for row in judged)
    overfitted = sum(row.outcome == "overfitted" for row in judged)
    tried = [row.candidates for row in judged]
    return RepairFigures(
        mode=mode,
        model=model,
        tasks=len(rows),
        repaired=wilson(sum(passed), len(judged)),
        resolved=wilson(resolved, len(judged)),
        correct=wilson(resolved, resolved + overfitted),
        candidates_per_repair=ratio(tried, passed),
        candidates_median=median([row.candidates for row in judged if row.outcome in PASSED]),
    )
