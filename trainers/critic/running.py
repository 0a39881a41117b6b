"""Programs through the sandbox in batches, each written when done: a cut loses little."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from sandbox import Program, ProgramRunner, Verdict, Word
from trainers.stage import StageContext

BATCH = 256
FLUSH_S = 1.0
"""How long something finished waits for company before it is written."""


@dataclass(frozen=True)
class RunReport:
    """How many programs were run, were known before, and could not be run by the sandbox."""

    run: int
    known: int
    not_judged: int


def run_in_batches(
    context: StageContext,
    sandbox: ProgramRunner,
    programs: Iterator[Program],
    write: Callable[[Sequence[Verdict]], None],
    *,
    known: int,
) -> RunReport:
    """Run programs and hand what was found to ``write``, batch by batch.

    What the sandbox itself failed on (``not_judged``) is not written; an event tells of it.
    ``programs`` is read in a thread of the sandbox's and must not use the store.

    Raises:
        Stopped: asked to stop; every finished batch is written.
        SandboxError: the sandbox cannot go on.
    """
    run, failed, batch, last = 0, list[str](), list[Verdict](), time.monotonic()

    def flush() -> None:
        if batch:
            write(batch)
            context.progress.advance(len(batch))
            batch.clear()

    context.check_stop()
    with closing(sandbox.run_many(programs)) as verdicts:  # type: ignore[type-var]
        for verdict in verdicts:
            if verdict.word is Word.NOT_JUDGED:
                failed.append(verdict.key)
                continue
            batch.append(verdict)
            run += 1
            if len(batch) >= BATCH or time.monotonic() - last >= FLUSH_S:
                flush()
                last = time.monotonic()
                context.check_stop()
    flush()
    _tell_failures(context, failed)
    return RunReport(run, known, len(failed))


def _tell_failures(context: StageContext, failed: list[str]) -> None:
    if failed:
        context.store.event(
            "running.not_judged",
            f"the sandbox could not run {len(failed)} programs; they are tried again when asked "
            "for next",
            level="warning",
            round_id=context.round_id,
            stage_run_id=context.stage_run_id,
            data={"programs": failed[:20]},
        )
