"""What a zygote is given at once: one program, or several that may share a process.

Sharing is an offer. The worker looks at each program (see worker/purity.py) and leaves out what it
does not admit; and when anything at all went wrong in the process, nothing that it said counts: the
program that ran then gets a process of its own, the others are run again. So the only verdicts
taken from a shared process are those of programs that could not touch each other, in one that ended
well.
"""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from sandbox.coverage import judge_traced
from sandbox.jobs import Prepared, job, shared_job
from sandbox.judge import Finding, NotJudgedError, frames_of, judge, judge_data
from sandbox.observing import judge_observed, judge_observed_alone
from sandbox.types import CallTrace, Failure, Limits, Observed, Program, Verdict, Word
from sandbox.worker import wire

MOST = 32
TRACED_TIMES = 8
"""How much more time a traced program gets: the slowest loops take so many times as long."""
SHARED_CPU_S = 0.25
SHARED_WALL_S = 5.0
SHARED_RESULT_BYTES = 1 << 24

_UNLIKELY = re.compile(
    r"^[ \t]*(?:class|async|import (?:os|random|time|datetime|json|copy))\b"
    r"|\b(?:print|input|open|eval|exec|type|getattr)\(|\.format\(",
    re.MULTILINE,
)
"""Text that the worker would not admit; only a guess that saves it the look."""


@dataclass(eq=False)
class Task:
    """A program on its way; ``deliver`` takes its verdict, ``wanted`` says if anyone still does."""

    program: Program
    deliver: Callable[[Verdict], None]
    wanted: Callable[[], bool]
    prepared: Prepared
    limits: Limits
    attempts: int = 0
    alone: bool = False

    def __post_init__(self) -> None:
        if self.program.observe:
            if not self.prepared.data:
                raise ValueError(f"calls are observed in data mode only: {self.program.key}")
            if self.program.trace:
                raise ValueError(f"a run is traced or observed, not both: {self.program.key}")
        if self.program.trace:
            if not self.prepared.data:
                raise ValueError(f"lines are traced in data mode only: {self.program.key}")
            self.limits = replace(
                self.limits,
                cpu_s=TRACED_TIMES * self.limits.cpu_s,
                wall_s=TRACED_TIMES * self.limits.wall_s,
            )
            self.alone = True
        elif not self.prepared.shareable or _UNLIKELY.search(self.program.code):
            self.alone = True


@dataclass(frozen=True)
class Settled:
    """A program's finding, with the report of its process as it concerns this program."""

    task: Task
    finding: Finding
    report: wire.Report
    parts: list[bytes]
    trace: tuple[CallTrace, ...] = ()
    observed: tuple[Observed, ...] = ()

    def out_of_memory(self) -> "Settled":
        """Return the same, ended by the memory that all processes of the zygote held together."""
        failure = Failure(type="MemoryError", text="over the control group's limit")
        word = Word.OUT_OF_MEMORY
        observed = tuple(
            replace(one, word=word, type=failure.type) if one.word is Word.CRASHED else one
            for one in self.observed
        )
        return replace(self, finding=(word, failure), observed=observed)


@dataclass(eq=False)
class Bundle:
    """Tasks for one process; only one of them unless they may share it."""

    tasks: list[Task]

    @property
    def limits(self) -> Limits:
        """What the process may use."""
        limits = self.tasks[0].limits
        if len(self.tasks) == 1:
            return limits
        return replace(
            limits,
            cpu_s=min(limits.cpu_s, SHARED_CPU_S),
            wall_s=min(limits.wall_s, SHARED_WALL_S),
            result_bytes=SHARED_RESULT_BYTES,
        )

    @property
    def wanted(self) -> bool:
        """Whether anyone waits for any of it."""
        return any(task.wanted() for task in self.tasks)

    def job(self) -> list[bytes]:
        """Return the pieces to write to a zygote."""
        if len(self.tasks) > 1:
            programs = [(task.program, task.prepared) for task in self.tasks]
            return shared_job(programs, self.limits)
        task = self.tasks[0]
        return job(task.program, task.prepared, task.limits)

    def settle(self, report: wire.Report, parts: list[bytes]) -> tuple[list[Settled], list[Task]]:
        """Return what a report settles, and which tasks are to be run again.

        Raises:
            NotJudgedError: the process never got as far as running anything.
        """
        if len(self.tasks) > 1:
            return self._settle_shared(report, parts)
        task = self.tasks[0]
        if task.program.trace:
            found, trace = judge_traced(report, parts[0], task.prepared, task.limits)
            return [Settled(task, found, report, parts, trace)], []
        if task.program.observe:
            found, calls = judge_observed_alone(report, parts[0], task.prepared, task.limits)
            return [Settled(task, found, report, parts, observed=calls)], []
        finding = judge(report, parts, task.prepared, task.limits)
        return [Settled(task, finding, report, parts)], []

    def _settle_shared(
        self, report: wire.Report, parts: list[bytes]
    ) -> tuple[list[Settled], list[Task]]:
        frames = list(frames_of(parts[0]))
        if not frames or frames[0] != (wire.READY, b""):
            raise NotJudgedError("the programs' process could not be locked down")
        bodies = [body for tag, body in frames[1:] if tag == wire.PROGRAM]
        if report.why != wire.ENDED or report.status or len(bodies) != len(frames) - 1:
            # Whoever ran when it ended is not to share again; where that is not clear, none is.
            for task in self.tasks[len(bodies) :][:1] or self.tasks:
                task.alone = True
            return [], self.tasks
        settled, again = [], self.tasks[len(bodies) :]
        for task, body in zip(self.tasks, bodies, strict=False):
            if body:
                settled.append(_settled(task, body, report))
            else:
                task.alone = True
                again.append(task)
        return settled, again


def _settled(task: Task, body: bytes, report: wire.Report) -> Settled:
    cpu_s, wall_s = wire.SPENT.unpack_from(body)
    own = report._replace(cpu_s=cpu_s, wall_s=wall_s)
    frames, nothing = body[wire.SPENT.size :], [b"", b"", b"", b""]
    if task.program.observe:
        found, calls = judge_observed(own, frames, task.prepared, task.limits)
        return Settled(task, found, own, nothing, observed=calls)
    return Settled(task, judge_data(own, frames, task.prepared, task.limits), own, nothing)


def take(queue: deque[Task], most: int) -> Bundle | None:
    """Take the next task that is wanted, and with it up to ``most`` that may share its process."""
    while queue:
        first = queue.popleft()
        if first.wanted():
            break
    else:
        return None
    tasks = [first]
    while not first.alone and queue and len(tasks) < min(most, MOST):
        task = queue[0]
        alike = task.program.observe == first.program.observe and task.limits == first.limits
        if task.alone or not alike:
            break
        queue.popleft()
        if task.wanted():
            tasks.append(task)
    return Bundle(tasks)
