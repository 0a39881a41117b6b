"""The rows that cross package borders: what the store takes and gives, one frozen class a table."""

from dataclasses import dataclass, field
from typing import Any, Literal

Split = Literal["train", "validation", "test", "prompt"]


@dataclass(frozen=True)
class ProblemRow:
    """A task with a statement and hidden tests.

    ``visible_tests`` are the asserts that a prompt may show, in the data set's order; ``tests`` is
    the JSON form of ``sandbox.Tests`` with everything that judges it, ``tests_hash`` its SHA-256.
    """

    id: str
    source: str
    statement: str
    entry_point: str
    split: Split
    tests: dict[str, Any]
    tests_hash: str
    visible_tests: tuple[str, ...] = ()
    stub: str = ""
    reference: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SampleRow:
    """One completion by a generator for a problem.

    ``code`` is the program cut out of ``completion``; ``program_hash`` is the SHA-256 of ``code``;
    ``logprob`` is the sum over ``tokens`` tokens where the backend tells it. A sample is keyed by
    (problem, generator, protocol, params_hash, idx): storing it twice stores it once.
    """

    problem_id: str
    generator_id: str
    protocol: str
    params: dict[str, Any]
    params_hash: str
    idx: int
    seed: int
    completion: str
    code: str
    program_hash: str
    tokens: int
    logprob: float | None
    finish_reason: str
    stage_run_id: int
    id: int | None = None


@dataclass(frozen=True)
class VerdictRow:
    """What the sandbox said of a program under the tests of ``tests_hash``."""

    program_hash: str
    tests_hash: str
    sandbox_version: str
    sandbox_level: str
    verdict: str
    failure: dict[str, Any] | None
    cpu_s: float
    wall_s: float
    peak_memory_mb: float
    output_head: str = ""
    output_tail: str = ""
    stage_run_id: int | None = None
    id: int | None = None


@dataclass(frozen=True)
class LimitsRow:
    """What a program may use under the tests of ``tests_hash``, as their reference needs it."""

    tests_hash: str
    sandbox_version: str
    sandbox_level: str
    cpu_s: float
    wall_s: float
    memory_mb: int


@dataclass(frozen=True)
class AgreementInputsRow:
    """Inputs of a problem, without expected values, on which its programs are compared.

    ``inputs`` are the calls in JSON form, ``inputs_hash`` their SHA-256; ``origin`` names the kinds
    that are among them: visible, generated, mutated. ``generator_id`` is who wrote the generated
    ones, None where there are none.
    """

    problem_id: str
    inputs_hash: str
    origin: str
    inputs: list[dict[str, Any]]
    generator_id: str | None
    seed: int


@dataclass(frozen=True)
class BehaviourRow:
    """What a program gave on the inputs of ``inputs_hash``, input by input; it is no verdict.

    An outcome is the digest of the value that came back, or an exclamation mark and the name of
    the exception, or of what else kept a value from coming (``!timeout``).
    """

    program_hash: str
    inputs_hash: str
    sandbox_version: str
    sandbox_level: str
    outcomes: tuple[str, ...]


@dataclass(frozen=True)
class LabelledSample:
    """A sample with its verdict, as training and evaluation read it. ``split`` is its problem's."""

    sample: SampleRow
    verdict: str
    verdict_id: int
    split: Split

    @property
    def passed(self) -> bool:
        """True when the hard verifier passed it."""
        return self.verdict == "passed"


@dataclass(frozen=True)
class Figure:
    """A measured value with its interval (95 %) and sample size; None where it is undefined."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    def to_json(self) -> dict[str, float | int | None]:
        """The form that every ``--json`` output uses."""
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n}


@dataclass(frozen=True)
class ModelRow:
    """A model version. ``status``: training, candidate, champion, retired or rejected.

    ``stale`` says why it cannot be used as things are, such as another generator; None: it can.
    """

    id: str
    kind: str
    version: int
    parent: str | None
    config: dict[str, Any]
    status: str
    generator_id: str | None
    checkpoint: str | None
    sha256: str | None
    stage_run_id: int
    stale: str | None = None


@dataclass(frozen=True)
class StageRunRow:
    """One attempt of a stage in a round, with its heartbeat and progress."""

    id: int
    round_id: int
    stage: str
    attempt: int
    status: str
    started_at: float
    finished_at: float | None
    heartbeat_at: float | None
    pid: int | None
    pid_start: float | None
    phase: str
    done: int
    total: int
    unit: str
    error: str | None
    metrics: dict[str, Any]


@dataclass(frozen=True)
class ResourceRow:
    """What a stage run used: seconds, MiB, and of the card busy seconds, MiB and joules.

    The card's figures are None without one, and where it does not tell them.
    """

    stage_run_id: int
    wall_s: float
    cpu_s: float
    peak_memory_mb: float | None = None
    card: str | None = None
    card_busy_s: float | None = None
    card_peak_memory_mb: float | None = None
    card_energy_j: float | None = None


@dataclass(frozen=True)
class RoundRow:
    """One pass over the stages that are due. ``status``: running, done or failed."""

    id: int
    status: str
    started_at: float
    finished_at: float | None
    seed: int
    config: dict[str, Any]
    code_version: str
