"""Execution agreement: run all samples of a problem on the same inputs and see who agrees.

Best-of-N by it needs no expected values: minimum Bayes risk by execution (Shi et al. 2022, arXiv
2204.11454) and the code side of CodeT (Chen et al. 2022, arXiv 2207.10397). What a program gave is
kept as outcomes, one text an input: the digest of a value, or ``!`` and what kept one from coming.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from memory.records import BehaviourRow
from sandbox import Call, Limits, Observed, Program, ProgramRunner, Tests, Verdict, Word
from trainers.critic.inputs import inputs_hash
from trainers.critic.running import RunReport, run_in_batches
from trainers.stage import StageContext

Array = NDArray[np.float64]
Outcomes = Sequence[Sequence[str]]

LIMITS = Limits(cpu_s=0.5, wall_s=5.0)
"""Of one program on all of its inputs: these are small, and mutants make many programs loop."""

NO_VALUE = "!"


@dataclass(frozen=True)
class ObservationWork:
    """Programs of one problem (code by program hash) and the inputs to run them on.

    Each input names its function, as those of ``inputs_of`` do: behaviours are stored by the hash
    of the inputs, and a program may hold the functions of two problems.

    Raises:
        ValueError: an input does not name its function.
    """

    problem_id: str
    inputs: Sequence[Call]
    entry_point: str
    programs: Mapping[str, str]

    def __post_init__(self) -> None:
        if any(call.function is None for call in self.inputs):
            raise ValueError(
                f"an input of {self.problem_id} names no function; make inputs with inputs_of"
            )


def observe(
    context: StageContext,
    sandbox: ProgramRunner,
    work: Sequence[ObservationWork],
    *,
    limits: Limits = LIMITS,
) -> RunReport:
    """Run the programs on their inputs and store what they gave; what is stored is not run again.

    It is no label and looks at no expected value. Work without inputs is left out.

    Args:
        context: store, progress, stop request.
        sandbox: who runs them.
        work: what is wanted; a program that is asked for twice is run once.
        limits: of one program on all of its inputs.

    Raises:
        Stopped: asked to stop; everything that was finished is stored.
        SandboxError: the sandbox cannot go on.
    """
    programs = {program.key: program for program in _programs(work, limits)}
    pairs = [_pair(key) for key in programs]
    known = context.store.behaviours(pairs, sandbox.version, sandbox.level)
    context.progress.start("observe", len(programs), "programs", done=len(known))
    missing = (program for key, program in programs.items() if _pair(key) not in known)

    def write(verdicts: Sequence[Verdict]) -> None:
        context.store.add_behaviours([_row(verdict) for verdict in verdicts])

    return run_in_batches(context, sandbox, missing, write, known=len(known))


def outcome(observed: Observed) -> str:
    """Return one call's outcome as it is stored and compared."""
    if observed.word is Word.PASSED:
        return observed.digest
    named = observed.word is Word.ERROR and observed.type
    return NO_VALUE + (observed.type if named else observed.word.value)


def clusters(outcomes: Outcomes) -> NDArray[np.int64]:
    """(samples,): the number of each sample's cluster, those that gave the same on every input.

    Numbered from 0 in the order of their first sample. An exception counts as what was given.
    """
    numbers: dict[tuple[str, ...], int] = {}
    return np.array([numbers.setdefault(tuple(row), len(numbers)) for row in outcomes], np.int64)


def exact_cluster(outcomes: Outcomes, counts: ArrayLike) -> Array:
    """(samples,): how many samples gave the same on all inputs, the sample itself included.

    A sample that gave no value on any input scores 0.

    Args:
        outcomes: (samples, inputs).
        counts: (samples,) how many samples each row stands for.

    Raises:
        ValueError: rows of different length, or another number of counts.
    """
    weights = _checked(outcomes, counts)
    cluster = clusters(outcomes)
    sizes = np.bincount(cluster, weights, minlength=1)
    lives = np.array([any(map(_is_value, row)) for row in outcomes], bool)
    return np.where(lives, sizes[cluster], 0.0)


def soft_agreement(outcomes: Outcomes, counts: ArrayLike) -> Array:
    """(samples,): the mean over inputs of the share of samples that gave the same value.

    What gave no value agrees with nothing, not with itself either. 0 where there are no inputs.

    Args:
        outcomes: (samples, inputs).
        counts: (samples,) how many samples each row stands for.

    Raises:
        ValueError: rows of different length, or another number of counts.
    """
    weights = _checked(outcomes, counts)
    columns = list(zip(*outcomes, strict=True))
    score = np.zeros(len(weights))
    for column in columns:
        given = np.array([_is_value(one) for one in column], bool)
        _, place = np.unique(np.array(column, dtype=object), return_inverse=True)
        score += np.where(given, np.bincount(place, weights)[place], 0.0)
    total = weights.sum() * len(columns)
    return score / total if total > 0 else score


def _checked(outcomes: Outcomes, counts: ArrayLike) -> Array:
    weights = np.asarray(counts, np.float64)
    if weights.shape != (len(outcomes),):
        raise ValueError(f"{len(outcomes)} rows of outcomes need as many counts")
    if len({len(row) for row in outcomes}) > 1:
        raise ValueError("rows of outcomes of different length: they are not on the same inputs")
    return weights


def _is_value(text: str) -> bool:
    return not text.startswith(NO_VALUE)


def _programs(work: Sequence[ObservationWork], limits: Limits) -> Iterator[Program]:
    for one in work:
        if not one.inputs:
            continue
        tests = Tests("data", one.entry_point, calls=tuple(one.inputs))
        digest = inputs_hash(one.inputs)
        for program, code in one.programs.items():
            yield Program(f"{program}:{digest}", code, tests, limits, observe=True)


def _pair(key: str) -> tuple[str, str]:
    program, inputs = key.split(":")
    return program, inputs


def _row(verdict: Verdict) -> BehaviourRow:
    outcomes = tuple(outcome(one) for one in verdict.observed)
    return BehaviourRow(*_pair(verdict.key), verdict.version, verdict.level, outcomes)
