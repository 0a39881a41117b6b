"""The rows of the tables of repair: what the store takes and gives, one frozen class a table.

A row that was learned names the train task (``task_id``) or the train problem (``problem_id``,
``pair_id``) that it was learned from, just one of the two; the store refuses any other.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["resolved", "plausible", "overfitted", "unjudged", "unrepaired", "failed"]
"""How a repair ended.

``resolved``: it passed the tests that judge it, hidden ones where there are any. ``plausible``: it
passed the tests that it was searched with, and there are no others. ``overfitted``: it passed those
and failed the hidden ones. ``unjudged``: a patch, but no tests ran. ``unrepaired``: no patch, or
none that passed, within the budget. ``failed``: the task could not be worked on.
"""

PASSED: tuple[Outcome, ...] = ("resolved", "plausible", "overfitted")
"""The outcomes of tasks for which a candidate passed the tests that it was searched with."""


@dataclass(frozen=True)
class Source:
    """What something was learned from, a train task or a train problem, and in which stage run."""

    task_id: str | None = None
    problem_id: str | None = None
    stage_run_id: int | None = None


@dataclass(frozen=True)
class PatternRow:
    """A learned edit: ``key`` names it for good, ``abstraction`` is its JSON form."""

    key: str
    operation: str
    abstraction: dict[str, Any]
    id: int | None = None


@dataclass(frozen=True)
class EvidenceRow:
    """One fix in which a pattern was seen; ``context`` is a hypervector as packed bits.

    ``details`` tell what filled the slots, and where.
    """

    pattern: str
    task_id: str | None = None
    pair_id: int | None = None
    context: bytes | None = None
    details: dict[str, Any] = field(default_factory=dict)
    stage_run_id: int | None = None
    id: int | None = None


@dataclass(frozen=True)
class PatternCount:
    """A pattern with the number of tasks and of pairs that it was seen in."""

    pattern: PatternRow
    tasks: int
    pairs: int

    @property
    def support(self) -> int:
        """In how many fixes it was seen."""
        return self.tasks + self.pairs


@dataclass(frozen=True)
class MemoryRow:
    """A neural memory: its name, and of which hypervectors its keys are."""

    name: str
    dimensions: int
    seed: int


@dataclass(frozen=True)
class MemoryVersion:
    """Weights of a neural memory that were saved, and the last fact that they were trained on.

    ``checkpoint`` is relative to the state directory; ``created_at`` is in Unix seconds.
    """

    memory: str
    version: int
    checkpoint: str
    sha256: str
    last_fact: int
    stage_run_id: int | None
    created_at: float


@dataclass(frozen=True)
class FactRow:
    """A consolidated fact: a key as packed bits, and the label that it recalls."""

    memory: str
    label: str
    key: bytes
    task_id: str | None = None
    problem_id: str | None = None
    stage_run_id: int | None = None
    value_index: int | None = None
    id: int | None = None


@dataclass(frozen=True)
class ConstraintRow:
    """An attempt: what was tried, and how near it came, from 0 (not at all) to 1 (it succeeded)."""

    context: str
    operation: str
    file_role: str
    operator: str
    partial_score: float
    task_id: str | None = None
    problem_id: str | None = None
    stage_run_id: int | None = None
    id: int | None = None


@dataclass(frozen=True)
class ObservationRow:
    """That a pattern, or a strategy, succeeded or failed on one task in a context."""

    context: str
    pattern: str
    success: bool
    task_id: str | None = None
    problem_id: str | None = None
    stage_run_id: int | None = None
    id: int | None = None


@dataclass(frozen=True)
class ObservationCount:
    """How often a pattern succeeded and failed in a context."""

    context: str
    pattern: str
    successes: int
    failures: int


@dataclass(frozen=True)
class RepairRow:
    """One try at a task: how it ended, how many candidates it took, the patch and its evidence.

    ``mode`` names the way (which memory, which tests), ``candidates`` counts the programs that were
    tried, ``confidence`` is a probability, ``seconds`` is wall time.
    """

    task_id: str
    mode: str
    outcome: Outcome
    candidates: int
    seconds: float
    patch: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)
    confidence: float | None = None
    model_id: str | None = None
    stage_run_id: int | None = None
    id: int | None = None


@dataclass(frozen=True)
class RepairPairRow:
    """A failing and a passing sample of one train problem that are alike.

    ``similarity``: the share of their tokens that match in order, from 0 to 1. ``span``: the first
    and last line of the failing one that changed, from 1. ``change``: what made the passing one of
    it: an arm of the fractal loop, or ``alike`` for two samples that were written apart.
    """

    problem_id: str
    broken_sample: int
    fixed_sample: int
    similarity: float
    id: int | None = None
    span: tuple[int, int] | None = None
    change: str = "alike"


@dataclass(frozen=True)
class RepairPair:
    """A repair pair with the codes of its two samples."""

    row: RepairPairRow
    broken: str
    fixed: str
