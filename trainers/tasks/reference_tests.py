"""Tests whose expected values are what a reference solution returns (the + sets)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from memory.records import ProblemRow
from sandbox.types import Call, Tests
from trainers.tasks.expected import Job, Recorded, record
from trainers.tasks.files import Record

Compare = Literal["close", "set_eq", "truthy"]

RELEASED_FIELDS: dict[str, type | tuple[type, ...]] = {
    "task_id": str,
    "prompt": str,
    "entry_point": str,
    "canonical_solution": str,
    "base_input": list,
    "plus_input": (list, dict),  # one task of MBPP+ has {} for "no more inputs"
    "atol": (int, float),
}

# A float is compared with at least this tolerance, as the evalplus package does.
FLOAT_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Made:
    """The rows that could be made, and a note on each that could not, or not whole."""

    rows: list[ProblemRow]
    notes: list[str]


def inputs(row: Record) -> list[Any]:
    """List the arguments of every call: MBPP's or HumanEval's own and the added ones."""
    return [*row["base_input"], *row["plus_input"]]


def reference_tests(
    jobs: Sequence[Job], tolerances: Mapping[str, float], compare: Mapping[str, Compare]
) -> tuple[dict[str, Tests], list[str]]:
    """Run the references and make tests of what they return.

    Args:
        jobs: the references with their inputs.
        tolerances: absolute, by key of the job.
        compare: how a result is compared, by key of the job.

    Returns:
        The tests by key, and notes on what is missing and why.
    """
    tests: dict[str, Tests] = {}
    notes: list[str] = []
    names = {job.key: job.entry_point for job in jobs}
    for found in record(jobs):
        calls = _calls(found, compare[found.key], tolerances[found.key])
        lost = found.dropped + len(found.pairs) - len(calls)
        if not calls:
            why = found.error or "its reference returns nothing that can be compared"
            notes.append(f"{found.key} left out: {why}")
            continue
        if lost:
            notes.append(
                f"{found.key}: {lost} of {lost + len(calls)} inputs left out: the reference "
                "raises, is slow, or returns what is too large or does not equal itself"
            )
        tests[found.key] = Tests(
            mode="data",
            entry_point=names[found.key],
            calls=tuple(calls),
            reason="what is expected is what the reference returned",
        )
    return tests, sorted(notes)


def _calls(found: Recorded, compare: Compare, atol: float) -> list[Call]:
    # NaN equals nothing, so no candidate could pass a call that expects it.
    pairs = [(arguments, value) for arguments, value in found.pairs if value == value]  # noqa: PLR0124
    return [_call(arguments, value, compare, atol) for arguments, value in pairs]


def _call(arguments: tuple[Any, ...], value: Any, compare: Compare, atol: float) -> Call:
    if compare == "truthy":
        return Call(arguments, value, compare="truthy" if value else "falsy")
    if compare == "set_eq":
        return Call(arguments, value, compare="set_eq")
    if atol or _has_float(value):
        return Call(arguments, value, compare="close", tolerance=max(atol, FLOAT_TOLERANCE))
    return Call(arguments, value)


def _has_float(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_has_float(item) for item in value)
    if isinstance(value, dict):
        return any(_has_float(item) for item in value.values())
    return isinstance(value, (float, complex))
