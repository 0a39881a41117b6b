"""Repair of one program: candidates in a learned order, run in the sandbox, and recorded."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from memory.hologram.circuits import CircuitObserver
from memory.hologram.constraints import Attempt, AttemptKey, ConstraintAccumulator
from memory.repair_records import Outcome
from sandbox import Program as Judged
from sandbox import Sandbox, Tests, tests_from_json
from trainers.code_trainer.edits.instantiate import Candidate
from trainers.code_trainer.edits.judging import TestRunner
from trainers.code_trainer.edits.library import PatternLibrary
from trainers.code_trainer.edits.program import Program
from trainers.code_trainer.edits.ranking import Ranking, fixed_order
from trainers.code_trainer.edits.search import Budget, Plausible, SearchResult, search
from trainers.code_trainer.edits.second_look import SecondLook
from trainers.errors import TaskError
from trainers.tasks.swe.types import Judge, SWETask

FILE_ROLE = "program"
MOST_ATTEMPTS = 200
"""Attempts of one task that are remembered: the first ones, which the order thought best of."""

_CLIP = 2.0


@dataclass
class Trail:
    """What a search tried: by (context, pattern) with its operation, in order, each once."""

    tried: dict[tuple[str, str], str] = field(default_factory=dict)

    def follow(self, candidates: Iterator[Candidate]) -> Iterator[Candidate]:
        """Give the candidates on, and remember them."""
        for made in candidates:
            key = (made.cell.site.context, made.cell.pattern.key)
            if len(self.tried) < MOST_ATTEMPTS:
                self.tried.setdefault(key, made.cell.pattern.operation)
            yield made

    def attempts(self, found: Plausible | None) -> list[Attempt]:
        """The attempts as they went: the edits of the repair that was found succeeded."""
        won: dict[tuple[str, str], str] = {}
        if found is not None:
            edits = [found.candidate] if found.first is None else [found.first, found.candidate]
            won = {
                (one.cell.site.context, one.cell.pattern.key): one.cell.pattern.operation
                for one in edits
            }
        return [
            Attempt(
                AttemptKey(context, operation, FILE_ROLE, pattern),
                float((context, pattern) in won),
            )
            for (context, pattern), operation in {**self.tried, **won}.items()
        ]


@dataclass(frozen=True)
class Repair:
    """How the repair of a program went. ``text`` is the answer, None where none passed."""

    path: str
    result: SearchResult
    text: str | None
    outcome: Outcome
    attempts: list[Attempt]
    notes: tuple[str, ...] = ()

    @property
    def evidence(self) -> dict[str, Any]:
        """What the answer was made of, as plain data."""
        found = self.result.found
        return {
            "edits": found.evidence if found else [],
            "notes": list(self.notes),
        }


class Bias:
    """What circuits and constraints add to a candidate's score: logarithms, bounded.

    A circuit adds how much likelier than all patterns together its pattern is in this context; a
    constraint takes off the share of attempts like it that failed.
    """

    def __init__(
        self,
        library: PatternLibrary,
        observer: CircuitObserver | None,
        constraints: ConstraintAccumulator | None,
    ) -> None:
        self._library, self._observer, self._constraints = library, observer, constraints
        self._known: dict[tuple[str, str], float] = {}

    def __call__(self, context: str, pattern: str) -> float:
        """The bias of a pattern's key in a context."""
        key = (context, pattern)
        if key not in self._known:
            self._known[key] = self._bias(context, pattern)
        return self._known[key]

    def reasons(self, context: str, pattern: str) -> str:
        """What spoke against a pattern in a context, for a person."""
        parts = []
        if self._constraints is not None:
            key = self._key(context, pattern)
            parts += [
                f"{reason.failures:.1f} of {reason.attempts:.1f} attempts at "
                f"{' / '.join(filter(None, reason.level))} failed"
                for reason in self._constraints.reasons(key)[:1]
                if reason.failures > 0
            ]
        if self._observer is not None and self._observer.mean(context, pattern) < 0.5 * (
            self._observer.mean("", "")
        ):
            parts.append(f"it worked in {self._observer.mean(context, pattern):.0%} of its tries")
        return "; ".join(parts) or "nothing"

    def _bias(self, context: str, pattern: str) -> float:
        bias = 0.0
        if self._observer is not None:
            ratio = self._observer.mean(context, pattern) / self._observer.mean("", "")
            bias += max(-_CLIP, min(_CLIP, math.log(ratio)))
        if self._constraints is not None:
            bias -= self._constraints.penalty(self._key(context, pattern))
        return bias

    def _key(self, context: str, pattern: str) -> AttemptKey:
        operation = self._library.patterns[pattern].operation
        return AttemptKey(context, operation, FILE_ROLE, pattern)


Order = Callable[[Program, TestRunner], Iterator[Candidate]]


class ProgramRepairer:
    """Repairs programs of one file that visible tests judge.

    Args:
        sandbox: where candidates run.
        budget: of one task.
        order: the candidates of a program, likeliest first.
    """

    def __init__(self, sandbox: Sandbox, budget: Budget, order: Order) -> None:
        self._sandbox, self._budget, self._order = sandbox, budget, order

    def repair(self, task: SWETask) -> Repair:
        """Search for a repair with the visible tests; the hidden ones judge it at the end.

        Raises:
            TaskError: the task has no program or no tests that may be seen.
        """
        path, judge, visible = _searchable(task)
        try:
            program = Program(task.code_before[path], issue=task.issue_text)
        except SyntaxError as error:
            note = f"{path} does not parse: {error}"
            return Repair(path, SearchResult(0), None, "failed", [], (note,))
        runner = TestRunner(self._sandbox, visible)
        trail = Trail()
        result = search(
            program,
            lambda other: trail.follow(self._order(other, runner)),
            runner,
            self._budget,
        )
        if not result.reproduced:
            note = "the program passes its visible tests: there is nothing to search with"
            return Repair(path, result, None, "unrepaired", [], (note,))
        found = result.found
        text = found.text if found else None
        outcome = self._outcome(text, judge)
        return Repair(path, result, text, outcome, trail.attempts(found))

    def _outcome(self, text: str | None, judge: Judge) -> Outcome:
        if text is None:
            return "unrepaired"
        if judge.hidden is None or judge.hidden == judge.visible:
            return "plausible" if judge.hidden is None else "resolved"
        hidden = tests_from_json(dict(judge.hidden))
        verdict = self._sandbox.run(Judged("hidden", text, hidden))
        return "resolved" if verdict.passed else "overfitted"


def learned_order(ranking: Ranking, second_look: SecondLook | None = None) -> Order:
    """The order by learned priors, the program's spectrum, circuits and constraints.

    ``second_look``: puts what comes next in order anew.
    """

    def order(program: Program, runner: TestRunner) -> Iterator[Candidate]:
        found = ranking.ordered(program, runner.observe(program.source))
        return found if second_look is None else second_look.ordered(program, found)

    return order


def untrained_order(library: PatternLibrary, seed: int) -> Order:
    """The same candidates in an order that nothing learned has a say in."""
    return lambda program, runner: fixed_order(library, program, seed=seed)


def is_program(task: SWETask) -> bool:
    """True for a task that :class:`ProgramRepairer` can work on."""
    return task.judge is not None and task.judge.kind == "program"


def _searchable(task: SWETask) -> tuple[str, Judge, Tests]:
    if task.judge is None or task.judge.visible is None or len(task.code_before) != 1:
        raise TaskError(
            f"{task.task_id}: no program of one file with visible tests; it is localised only"
        )
    (path,) = task.code_before
    return path, task.judge, tests_from_json(dict(task.judge.visible))
