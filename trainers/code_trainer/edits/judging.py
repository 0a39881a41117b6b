"""Running candidates against a task's tests in the sandbox: failing calls first, in batches."""

from collections.abc import Sequence
from dataclasses import replace

from sandbox import Limits, Program, Sandbox, Tests, Verdict, Word
from trainers.code_trainer.edits.search import Outcome
from trainers.code_trainer.edits.spectrum import Spectrum

LIMITS = Limits(cpu_s=0.15, wall_s=6.0, memory_mb=256)
"""A candidate's; most take a hundredth of it, and one that loops takes it all."""

PATIENCE = (replace(LIMITS, cpu_s=0.03), LIMITS, replace(LIMITS, cpu_s=1.5, wall_s=12.0))
"""Those of each try: one candidate that loops costs as much time as hundreds that do not, and a
right one of a long task, on a slow machine, takes more than nearly all others."""


class TestRunner:
    """Runs programs against one task's visible tests.

    Args:
        sandbox: where they run.
        tests: the visible ones; those that the program fails are moved to the front by
            :meth:`observe`.
    """

    __test__ = False  # not a pytest class

    def __init__(self, sandbox: Sandbox, tests: Tests) -> None:
        self._sandbox, self._tests = sandbox, tests

    @property
    def tests(self) -> Tests:
        """The tests, in the order in which they are run."""
        return self._tests

    def observe(self, source: str) -> Spectrum | None:
        """Run the program to repair, traced, and put the calls that it fails first.

        Returns:
            What its lines are suspected of; None where it passes or cannot be traced.
        """
        if self._tests.mode != "data":
            return None
        verdict = self._sandbox.run(
            Program("spectrum", source, self._tests, limits=LIMITS, trace=True)
        )
        traced = {t.call: t.word for t in verdict.trace if t.call is not None}
        failing = [i for i in range(len(self._tests.calls)) if traced.get(i) is not Word.PASSED]
        passing = [i for i in range(len(self._tests.calls)) if i not in set(failing)]
        if not self._tests.setup_code:  # calls of one set-up may depend on each other
            calls = tuple(self._tests.calls[i] for i in [*failing, *passing])
            self._tests = replace(self._tests, calls=calls)
        return Spectrum.of(verdict)

    def __call__(self, texts: Sequence[str], patience: int = 1) -> list[Outcome]:
        """Run programs; their outcomes in order. One that the sandbox lost counts as failing.

        ``patience``: which of :data:`PATIENCE` each gets; one that needs more is ``slow``.
        """
        limits = PATIENCE[patience]
        programs = (
            Program(str(number), text, self._tests, limits=limits)
            for number, text in enumerate(texts)
        )
        outcomes = [Outcome(False)] * len(texts)
        for verdict in self._sandbox.run_many(programs):
            slow = verdict.word is Word.TIMEOUT
            outcomes[int(verdict.key)] = Outcome(verdict.passed, _right(verdict), slow)
        return outcomes


def _right(verdict: Verdict) -> int:
    """Return how many calls were right before the first that was not."""
    failure = verdict.failure
    return failure.call if failure is not None and failure.call is not None else 0
