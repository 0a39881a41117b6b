"""Repair loops: how each task of the fractal coder went, step by step."""

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from memory.encoding import clean_text, finite_tree, to_json, with_json
from memory.repair_sql import Batched, insert_once

LoopMode = Literal["training", "evaluation", "resampling"]
"""``training``: hidden tests of train problems were seen; ``evaluation``: only visible ones;
``resampling``: the same budget spent on fresh samples."""

_KEY = ("domain", "mode", "task")
_COLUMNS = (
    *_KEY, "problem_id", "outcome", "right", "tokens", "seconds", "program", "trace",
    "generator_id", "model_id",
)  # fmt: skip
_INSERT = insert_once("repair_loops", _COLUMNS, _KEY, ())
_SELECT = """
SELECT l.domain, l.mode, l.task, l.problem_id, l.outcome, l.right, l.tokens, l.seconds, l.program,
       l.trace, l.generator_id, l.model_id, l.stage_run_id, l.id
FROM repair_loops l JOIN stage_runs s ON s.id = l.stage_run_id
WHERE (:round_id IS NULL OR s.round_id = :round_id) AND (:domain IS NULL OR l.domain = :domain)
  AND (:mode IS NULL OR l.mode = :mode)
ORDER BY l.id
"""
# The cost of a patch by an arm, from the loops in which something could be learned.
_COSTS = """
SELECT step.value ->> 'arm', count(*), sum(step.value ->> 'tokens')
FROM repair_loops l, json_each(l.trace, '$.steps') step
WHERE l.domain = ? AND l.mode = 'training' AND step.value ->> 'base' IS NOT NULL
GROUP BY 1
"""


@dataclass(frozen=True)
class LoopRow:
    """One task's loop.

    ``outcome``: ``first`` where the flood had a passing program. ``right``: 1 where the program
    that was chosen passes the hidden tests, None where nobody asked. ``tokens`` were rendered.
    """

    domain: str
    mode: LoopMode
    task: str
    outcome: Literal["first", "repaired", "unsolved"]
    tokens: int
    seconds: float
    program: str
    trace: dict[str, Any] = field(default_factory=dict)
    problem_id: str | None = None
    right: bool | None = None
    generator_id: str | None = None
    model_id: str | None = None
    stage_run_id: int | None = None
    id: int | None = None


class RepairLoops(Batched):
    """Reads and writes of ``repair_loops``."""

    def add_loops(self, rows: Iterable[LoopRow]) -> int:
        """Record loops in one transaction; a task counts once a domain, mode and round.

        Returns:
            How many were new.

        Raises:
            StoreError: a problem, model or stage run is unknown; then none is recorded.
        """
        now = time.time()
        return self._insert_rows(_INSERT, [_to_columns(row, now) for row in rows])

    def loops(
        self,
        *,
        round_id: int | None = None,
        domain: str | None = None,
        mode: LoopMode | None = None,
    ) -> list[LoopRow]:
        """The loops of a round, a domain and a mode (None: of all), oldest first."""
        asked = {"round_id": round_id, "domain": domain, "mode": mode}
        return [_from_columns(row) for row in self._select(_SELECT, asked)]

    def arm_costs(self, domain: str) -> dict[str, tuple[int, int]]:
        """By arm: how many patches were rendered in training, and their tokens."""
        return {arm: (patches, tokens) for arm, patches, tokens in self._select(_COSTS, (domain,))}


def _to_columns(row: LoopRow, now: float) -> dict[str, Any]:
    return {
        **asdict(row),
        "right": None if row.right is None else int(row.right),
        "program": clean_text(row.program),
        "trace": to_json(finite_tree(row.trace)),
        "created_at": now,
    }


def _from_columns(columns: tuple[Any, ...]) -> LoopRow:
    domain, mode, task, problem, outcome, right, tokens, seconds, program, *rest = columns
    trace, generator, model, stage_run, number = with_json(rest, 0)
    return LoopRow(
        domain, mode, task, outcome, tokens, seconds, program, trace, problem,
        None if right is None else bool(right), generator, model, stage_run, number,
    )  # fmt: skip
