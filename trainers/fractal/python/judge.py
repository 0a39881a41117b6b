"""The hard verifier of the loop: the sandbox, on the tests that the mode allows."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from sandbox import Call, Limits, Program, Sandbox, Tests, Verdict, Word
from trainers.fractal.domain import Judgement
from trainers.fractal.python.localise import Evidence

_KINDS = {
    Word.PASSED: "passed",
    Word.FAILED: "failed",
    Word.ERROR: "error",
    Word.SYNTAX_ERROR: "syntax_error",
    Word.TIMEOUT: "timeout",
}
# A program that ran to a wrong value is nearer than one that raised, and that than one that hung.
_NEARNESS = {"failed": 0.5, "error": 0.25, "timeout": 0.1, "syntax_error": 0.0}
_SHOWN = 200  # characters of two values that are compared


SEARCH = Limits(cpu_s=0.5, wall_s=8.0)
"""Of a candidate while a repair is searched: most take a hundredth; edits make many that loop."""


@dataclass(frozen=True)
class Judge:
    """Runs programs on one problem's tests; ``limits`` None: the sandbox's own."""

    sandbox: Sandbox
    tests: Tests
    limits: Limits | None = None

    def words(self, codes: Sequence[str]) -> list[Verdict]:
        """The verdicts on programs, in their order."""
        found: dict[int, Verdict] = {}
        programs = (
            Program(str(number), code, self.tests, self.limits) for number, code in enumerate(codes)
        )
        for verdict in self.sandbox.run_many(programs):
            found[int(verdict.key)] = verdict
        return [found[number] for number in range(len(codes))]

    def judgements(self, codes: Sequence[str]) -> list[Judgement]:
        """What the loop wants to know of them; a program that was not judged did not pass."""
        return [self._judgement(verdict) for verdict in self.words(codes)]

    def evidence(self, code: str, verdict: Verdict) -> Evidence:
        """Run a failing program once more, traced; without coverage where its tests allow none."""
        if self.tests.mode != "data" or verdict.word is Word.SYNTAX_ERROR:
            return Evidence((), verdict.failure)
        traced = self.sandbox.run(Program("trace", code, self.tests, self.limits, trace=True))
        return Evidence(traced.trace, verdict.failure)

    def _judgement(self, verdict: Verdict) -> Judgement:
        kind = _KINDS.get(verdict.word, "error")
        failure, calls = verdict.failure, self.tests.calls
        right = 0.0
        near = _NEARNESS.get(kind, 0.0)
        if failure is not None and failure.call is not None and calls:
            right = failure.call / len(calls)
            if kind == "failed":
                near += 0.5 * likeness(failure.text.removeprefix("gave "), calls[failure.call])
        score = 1.0 if verdict.passed else 0.5 * right + 0.4 * near
        return Judgement(verdict.passed, score, kind, verdict)


def likeness(given: str, call: Call) -> float:
    """How alike a wrong value is to the one that was expected, from 0 to 1, as texts."""
    wanted = repr(call.expected)[:_SHOWN]
    alike = SequenceMatcher(None, given[:_SHOWN], wanted, autojunk=False).ratio()
    return (alike + _same_type(given, call.expected)) / 2


def _same_type(given: str, expected: object) -> bool:
    try:
        return type(ast.literal_eval(given)) is type(expected)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False
