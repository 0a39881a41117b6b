"""Running candidates against a task's tests in the sandbox: failing calls first, in batches."""

import ast
from collections.abc import Sequence
from dataclasses import replace

from sandbox import Limits, Program, Sandbox, Tests, Verdict, Word
from trainers.code_trainer.edits.search import Outcome
from trainers.code_trainer.edits.spectrum import Spectrum
from trainers.code_trainer.edits.tree import FUNCTIONS
from trainers.code_trainer.edits.types import Types

LIMITS = Limits(cpu_s=0.15, wall_s=6.0, memory_mb=256)
"""A candidate's; most take a hundredth of it, and one that loops takes it all."""


class TestRunner:
    """Runs programs against one task's visible tests.

    Args:
        sandbox: where they run.
        tests: the visible ones; those that the program fails are moved to the front by
            :meth:`observe`.
        limits: of each program.
    """

    __test__ = False  # not a pytest class

    def __init__(self, sandbox: Sandbox, tests: Tests, *, limits: Limits = LIMITS) -> None:
        self._sandbox, self._tests, self._limits = sandbox, tests, limits

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
            Program("spectrum", source, self._tests, limits=self._limits, trace=True)
        )
        traced = {t.call: t.word for t in verdict.trace if t.call is not None}
        failing = [i for i in range(len(self._tests.calls)) if traced.get(i) is not Word.PASSED]
        passing = [i for i in range(len(self._tests.calls)) if i not in set(failing)]
        if not self._tests.setup_code:  # calls of one set-up may depend on each other
            calls = tuple(self._tests.calls[i] for i in [*failing, *passing])
            self._tests = replace(self._tests, calls=calls)
        return Spectrum.of(verdict)

    def types(self, source: str) -> Types:
        """Return the types of the entry point's parameters, as the calls give them."""
        names = _parameters(source, self._tests.entry_point)
        found: dict[str, set[str]] = {}
        for call in self._tests.calls:
            if call.function in (None, self._tests.entry_point):
                for name, value in [*zip(names, call.args, strict=False), *call.kwargs.items()]:
                    found.setdefault(name, set()).add(type(value).__name__)
                    if isinstance(value, list | tuple):
                        kinds = {type(item).__name__ for item in value}
                        found.setdefault(f"{name}[]", set()).update(kinds)
        return {name: kinds.pop() for name, kinds in found.items() if len(kinds) == 1}

    def __call__(self, texts: Sequence[str]) -> list[Outcome]:
        """Run programs; their outcomes in order. One that the sandbox lost counts as failing."""
        programs = (
            Program(str(number), text, self._tests, limits=self._limits)
            for number, text in enumerate(texts)
        )
        outcomes = [Outcome(False)] * len(texts)
        for verdict in self._sandbox.run_many(programs):
            outcomes[int(verdict.key)] = Outcome(verdict.passed, _right(verdict))
        return outcomes


def _parameters(source: str, function: str) -> list[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, FUNCTIONS) and node.name == function:
            return [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
    return []


def _right(verdict: Verdict) -> int:
    """Return how many calls were right before the first that was not."""
    failure = verdict.failure
    return failure.call if failure is not None and failure.call is not None else 0
