"""Limits for each problem's programs, from its reference solution; measured once and kept."""

from collections.abc import Iterable

from memory.records import LimitsRow, ProblemRow
from sandbox import Limits, Program, ProgramRunner, calibrate
from sandbox.tests_json import tests_from_json
from trainers.stage import StageContext


def calibrated_limits(
    context: StageContext, sandbox: ProgramRunner, problems: Iterable[ProblemRow]
) -> dict[str, Limits]:
    """Return the limits by tests hash, measuring what the store does not have yet.

    Problems without a reference, or whose reference does not pass, are not in it: the sandbox's own
    limits hold for them.
    """
    rows = {row.tests_hash: row for row in problems if row.reference}
    where = (sandbox.version, sandbox.level)
    known = context.store.limits(rows, *where)
    missing = [row for tests_hash, row in rows.items() if tests_hash not in known]
    if missing:
        context.progress.start("calibrate", len(missing), "problems")
        references = (
            Program(row.tests_hash, row.reference, tests_from_json(row.tests)) for row in missing
        )
        found = calibrate(sandbox, references)
        context.store.add_limits(
            LimitsRow(key, *where, one.cpu_s, one.wall_s, one.memory_mb)
            for key, one in found.items()
        )
        known = context.store.limits(rows, *where)
    return {
        key: Limits(cpu_s=row.cpu_s, wall_s=row.wall_s, memory_mb=row.memory_mb)
        for key, row in known.items()
    }
