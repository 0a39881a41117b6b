"""A problem's limits from what its reference solution takes, measured once.

One limit for all problems is either too short for the slow ones or makes every endless loop of the
quick ones cost seconds. The reference says what the problem needs on this machine.
"""

from collections.abc import Iterable
from dataclasses import replace

from sandbox.types import Limits, Program, ProgramRunner, Verdict

RUNS = 2
TIMES = 20
"""How much more CPU time than its reference a candidate may take, as long as that is little."""

AT_LEAST_TIMES = 5
"""And however slow the reference is."""

SHORTEST_S = 1.0


def calibrate(sandbox: ProgramRunner, references: Iterable[Program]) -> dict[str, Limits]:
    """Run each reference and return its problem's limits by key.

    A reference that does not pass under the longest limits that a problem may get has none.
    """
    base = sandbox.limits
    longest = replace(base, cpu_s=TIMES * base.cpu_s, wall_s=TIMES * base.wall_s)
    runs = (replace(program, limits=longest) for program in references for _ in range(RUNS))
    verdicts: dict[str, list[Verdict]] = {}
    for verdict in sandbox.run_many(runs):
        verdicts.setdefault(verdict.key, []).append(verdict)
    return {
        key: limits_from(found, base)
        for key, found in verdicts.items()
        if all(verdict.passed for verdict in found)
    }


def limits_from(verdicts: list[Verdict], base: Limits) -> Limits:
    """Return limits for candidates, given how the reference ran and the limits of any program."""
    cpu_s = max(verdict.cpu_s for verdict in verdicts)
    peak_mb = max(verdict.peak_memory_mb for verdict in verdicts)
    most = max(base.cpu_s, AT_LEAST_TIMES * cpu_s)
    allowed = min(max(SHORTEST_S, TIMES * cpu_s), most)
    return replace(
        base,
        cpu_s=round(allowed, 3),
        wall_s=round(allowed * base.wall_s / base.cpu_s, 3),
        memory_mb=max(base.memory_mb, round(2 * peak_mb)),
    )
