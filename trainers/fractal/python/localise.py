"""Which root of a failing program is to blame: its tests' coverage, the traceback, its writer.

Spectrum-based fault localisation, the line where the program raised, and the surprisal of the
generator at its own tokens.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sandbox import CallTrace, Failure
from trainers.fractal.domain import Suspect
from trainers.fractal.python.program import PythonProgram
from trainers.fractal.python.roots import Root
from trainers.ochiai import ochiai


@dataclass(frozen=True)
class Blame:
    """How much each kind of evidence counts; ``size`` speaks against large roots."""

    spectrum: float = 1.0
    traceback: float = 2.0
    doubt: float = 1.0
    size: float = 0.25


@dataclass(frozen=True)
class Evidence:
    """What is known of a failing run: coverage by call, and the failure."""

    trace: Sequence[CallTrace] = ()
    failure: Failure | None = None


def suspects(
    program: PythonProgram, roots: Sequence[Root], evidence: Evidence, blame: Blame
) -> list[Suspect]:
    """Rank the roots of a program that failed, the most suspicious first.

    A root that no failing test reached is innocent where coverage is known.
    """
    lines = ochiai(evidence.trace)
    parts = [_parts(program, root, lines, evidence.failure) for root in roots]
    doubts = _standardised([part["doubt"] for part in parts])
    found = []
    for index, (root, part) in enumerate(zip(roots, parts, strict=True)):
        if lines and part["spectrum"] == 0.0 and root.kind != "tail":
            continue
        weight = (
            blame.spectrum * part["spectrum"]
            + blame.traceback * part["traceback"]
            + blame.doubt * doubts[index]
            - blame.size * math.log2(1 + len(root.lines))
        )
        found.append(Suspect(index, weight))
    return sorted(found, key=lambda one: (-one.weight, one.root))


def _parts(
    program: PythonProgram, root: Root, lines: Mapping[int, float], failure: Failure | None
) -> dict[str, float]:
    raised = failure.line if failure is not None else None
    return {
        "spectrum": max((lines.get(line, 0.0) for line in root.lines), default=0.0),
        "traceback": float(raised is not None and raised in root.lines),
        "doubt": program.doubt(root.start, root.end),
    }


def _standardised(values: Sequence[float]) -> list[float]:
    """Scaled to 0 … 1 by the largest: what counts is who of a program's roots stands out."""
    largest = max(values, default=0.0)
    return [value / largest if largest > 0 else 0.0 for value in values]
