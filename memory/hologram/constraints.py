"""ConstraintAccumulator: failures bias the search away from what was tried in vain, for a while.

Source: the seed's ``ConstraintAccumulator`` ("tracks failures, biases search"; code trainer §4.1).
The back-off is interpolation by counts, as in n-gram models (Chen and Goodman 1999).
"""

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, replace
from typing import Self

from memory.constraints import distinct
from memory.hologram.circuits import CircuitObserver
from memory.repair_records import ConstraintRow, ObservationRow, Source
from memory.store import Store

HALF_LIFE = 1_000.0  # attempts recorded since, after which one counts half
_REMEMBERED = 40  # half-lives; what is older weighs less than a millionth of a millionth

# From the exact key to coarser ones; what a coarser one says of a key that was never tried counts
# ``_DISCOUNT`` at each step, and ``_BACKOFF`` attempts' worth against what the finer one says.
LEVELS: tuple[tuple[str, ...], ...] = (
    ("context", "operation", "file_role", "operator"),
    ("operation", "file_role", "operator"),
    ("operation", "operator"),
    ("operation",),
)
_DISCOUNT = 0.5
_BACKOFF = 1.0


@dataclass(frozen=True)
class AttemptKey:
    """What was tried: in which context (or issue cluster), which operation, on a file of which role
    (library, command line, configuration ...), by which operator (pattern).
    """

    context: str
    operation: str
    file_role: str
    operator: str


@dataclass(frozen=True)
class Attempt:
    """A key with how near it came: 0 not at all, 1 it succeeded; ``pattern`` for the observer.

    The pattern is the operator where it is not given.
    """

    key: AttemptKey
    partial_score: float
    pattern: str | None = None


@dataclass(frozen=True)
class Reason:
    """What one level says of a key: decayed failures among decayed attempts."""

    level: tuple[str, ...]
    failures: float
    attempts: float


@dataclass
class _Sums:
    """Decayed sums as they were when the clock stood at ``at``."""

    failures: float = 0.0
    attempts: float = 0.0
    at: int = 0

    def decay(self, now: int, half_life: float) -> None:
        factor = 0.5 ** ((now - self.at) / half_life)
        self.failures *= factor
        self.attempts *= factor
        self.at = now


class ConstraintAccumulator:
    """Attempts by key, from the store and back into it, each worth less the longer it is ago.

    Age is counted in recorded attempts, not in days: a memory that rests forgets nothing.

    Args:
        store: where constraints are; None: there are none and none is kept.
        before: only what is known from tasks before this time (Unix seconds) or without a date.
        writes: False keeps what is recorded in this object only.
        half_life: in attempts.
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        before: float | None = None,
        writes: bool = True,
        half_life: float = HALF_LIFE,
    ) -> None:
        self._store = store
        self._sink = store if writes else None
        self._before = before
        self._half_life = half_life
        self._observer: CircuitObserver | None = None
        self._recorded: set[ConstraintRow] = set()  # where nothing is written
        self._load()

    def set_circuit_observer(self, observer: CircuitObserver) -> None:
        """Tell each attempt to this observer too, as a success or a failure of its pattern."""
        self._observer = observer

    def snapshot(self, observer: CircuitObserver | None = None) -> Self:
        """A copy that knows the same, whose attempts are kept nowhere and told to ``observer``."""
        other = type(self)(None, half_life=self._half_life)
        other._sums = {key: copy(sums) for key, sums in self._sums.items()}
        other._clock = self._clock
        other._observer = observer
        return other

    def record_attempt(
        self,
        key: AttemptKey,
        partial_score: float,
        source: Source,
        *,
        pattern: str | None = None,
    ) -> None:
        """Record one attempt; see ``record``, which does many at the price of one."""
        self.record([Attempt(key, partial_score, pattern)], source)

    def record(self, attempts: Iterable[Attempt], source: Source) -> None:
        """Count the attempts on one task, and store them; a key counts once a task and round.

        Of several attempts of one key the one that came nearest is kept. A success (score 1) is
        recorded as well: it takes the penalty of its key back.

        Raises:
            SplitGuardError: the task is not of the train split; then nothing is stored or counted.
            StoreError: a score is not between 0 and 1.
        """
        attempts = list(attempts)
        rows = distinct(_row(attempt, source) for attempt in attempts)
        if self._sink is None:
            rows = [row for row in rows if replace(row, partial_score=0.0) not in self._recorded]
            self._recorded.update(replace(row, partial_score=0.0) for row in rows)
        elif self._sink.add_constraints(rows) < len(rows):
            self._load()  # some were there already
            rows = []
        for row in rows:
            self._add(row)
        if self._observer is not None:
            self._observer.record(_observation(attempt, source) for attempt in attempts)

    def penalty(self, key: AttemptKey) -> float:
        """How much speaks against trying this, from 0 (nothing) to 1: the share of failures.

        A key that was not tried often leans on coarser ones, discounted; where those were not
        tried either it is 0.
        """
        found = 0.0
        for reason in reversed(self.reasons(key)):
            weight = _BACKOFF * _DISCOUNT
            found = (reason.failures + weight * found) / (reason.attempts + _BACKOFF)
        return found

    def reasons(self, key: AttemptKey) -> tuple[Reason, ...]:
        """What each level says of a key, the exact one first: what its penalty is made of."""
        return tuple(self._reason(tuple(getattr(key, name) for name in names)) for names in LEVELS)

    def __len__(self) -> int:
        """How many attempts are remembered."""
        return self._clock

    def _reason(self, level: tuple[str, ...]) -> Reason:
        sums = self._sums.get(level)
        if sums is None:
            return Reason(level, 0.0, 0.0)
        factor = 0.5 ** ((self._clock - sums.at) / self._half_life)
        return Reason(level, sums.failures * factor, sums.attempts * factor)

    def _load(self) -> None:
        self._sums: dict[tuple[str, ...], _Sums] = {}
        self._clock = 0
        if self._store is not None:
            limit = int(_REMEMBERED * self._half_life)
            for row in self._store.constraints(before=self._before, limit=limit):
                self._add(row)

    def _add(self, row: ConstraintRow) -> None:
        self._clock += 1
        for names in LEVELS:
            # Levels have different numbers of fields, so that their keys never meet.
            sums = self._sums.setdefault(tuple(getattr(row, name) for name in names), _Sums())
            sums.decay(self._clock, self._half_life)
            sums.failures += 1 - row.partial_score
            sums.attempts += 1


def _row(attempt: Attempt, source: Source) -> ConstraintRow:
    key = attempt.key
    return ConstraintRow(
        context=key.context,
        operation=key.operation,
        file_role=key.file_role,
        operator=key.operator,
        partial_score=attempt.partial_score,
        task_id=source.task_id,
        problem_id=source.problem_id,
        stage_run_id=source.stage_run_id,
    )


def _observation(attempt: Attempt, source: Source) -> ObservationRow:
    return ObservationRow(
        context=attempt.key.context,
        pattern=attempt.key.operator if attempt.pattern is None else attempt.pattern,
        success=attempt.partial_score >= 1,
        task_id=source.task_id,
        problem_id=source.problem_id,
        stage_run_id=source.stage_run_id,
    )
