"""The search for a repair: candidates in order, run against the visible tests, until one passes.

Single edits come first; then, where the budget allows, a second edit on those single ones that
came further than the program did. All get little time at first, since most that take long never
end; those that were cut are run again with more at the end. The first that passes is the answer: to
choose among those that pass was measured, and the first is nearly always right where any is.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from time import monotonic
from typing import Protocol

from trainers.code_trainer.edits.instantiate import Candidate
from trainers.code_trainer.edits.program import Program
from trainers.code_trainer.edits.splice import NoText

BATCHES = (48, 48, 8)
"""Candidates run at once, by patience: a batch of loops is to end soon after the search's time."""

SLOW_SHARE = 0.2
"""Of the time, what is kept for candidates that took too long at first, where there are some."""

MOST_PATIENCE = len(BATCHES) - 1
"""How often those that were cut get more time."""


@dataclass(frozen=True)
class Budget:
    """What one search may use.

    ``candidates``: programs run; ``seconds``: of wall time; ``pairs``: of ``candidates`` how many
    may be spent on second edits.
    """

    candidates: int = 4000
    seconds: float = 60.0
    pairs: int = 1500


@dataclass(frozen=True)
class Outcome:
    """How a program did: whether all tests pass, how many calls were right before one failed.

    ``slow``: it was cut because it took too long.
    """

    passed: bool
    right: int = 0
    slow: bool = False


class RunTests(Protocol):
    """Runs texts of programs against the visible tests."""

    def __call__(self, texts: Sequence[str], patience: int) -> list[Outcome]:
        """Return one outcome for each, in their order; with more ``patience`` each gets more time,
        from 0 to :data:`MOST_PATIENCE`.
        """


@dataclass(frozen=True)
class Plausible:
    """A candidate that passes the visible tests; ``tried`` is its place in the order.

    ``first``: the edit before this one, where it took two.
    """

    text: str
    candidate: Candidate
    tried: int
    first: Candidate | None = None

    @property
    def score(self) -> float:
        """The logarithm of how likely the edits are, up to a constant."""
        return self.candidate.score + (self.first.score if self.first is not None else 0.0)

    @property
    def evidence(self) -> list[dict[str, object]]:
        """What the edits are, as plain data."""
        edits = [self.candidate] if self.first is None else [self.first, self.candidate]
        return [edit.evidence for edit in edits]


@dataclass(frozen=True)
class SearchResult:
    """What a search found; ``candidates_tried`` until it passed, or in all.

    ``reproduced``: the program itself fails the visible tests; where it does not, nothing is tried.
    """

    candidates_tried: int
    found: Plausible | None = None
    seconds: float = 0.0
    reproduced: bool = True
    exhausted: bool = False


Order = Callable[[Program], Iterator[Candidate]]
"""Gives the candidates of a program; also of one that a first edit was made on."""


@dataclass
class _Search:
    """A search under way."""

    order: Order
    run_tests: RunTests
    budget: Budget
    started: float = field(default_factory=monotonic)
    tried: int = 0
    found: Plausible | None = None
    promising: list[tuple[int, Candidate, str]] = field(default_factory=list)
    slow: list[tuple[Candidate, str, Candidate | None]] = field(default_factory=list)
    patience: int = 0
    again: bool = False

    def spent(self) -> bool:
        """Tell whether the time is over; as long as there are slow ones to run again, sooner."""
        share = 1.0 - SLOW_SHARE if self.slow and not self.again else 1.0
        return monotonic() - self.started > share * self.budget.seconds

    def goes_on(self) -> bool:
        """Tell whether there is something to find and time to find it."""
        return self.found is None and not self.spent()

    def batch(
        self, candidates: Iterable[Candidate], right: int, first: Candidate | None = None
    ) -> None:
        """Run some candidates, and keep those that pass and those that come further than before."""
        written = []
        for made in candidates:
            try:
                written.append((made, made.text))
            except NoText:
                continue
        outcomes = self.run_tests([text for _, text in written], self.patience)
        for (made, text), outcome in zip(written, outcomes, strict=True):
            self.tried += 1
            if outcome.passed:
                self.found = self.found or Plausible(text, made, self.tried, first)
            elif outcome.slow and self.patience < MOST_PATIENCE:
                self.slow.append((made, text, first))
            elif first is None and outcome.right > right:
                self.promising.append((outcome.right, made, text))


def search(program: Program, order: Order, run_tests: RunTests, budget: Budget) -> SearchResult:
    """Search for edits that make a program pass its visible tests.

    Args:
        program: what is to be repaired.
        order: gives its candidates, likeliest first.
        run_tests: see :class:`RunTests`.
        budget: when to stop.
    """
    state = _Search(order, run_tests, budget)
    start = _start(state, program)
    if start.passed:
        return SearchResult(0, reproduced=False, seconds=monotonic() - state.started)
    singles = order(program)
    exhausted = _singles(state, singles, start.right, budget.candidates - budget.pairs)
    if state.goes_on():
        _pairs(state)
    if state.goes_on() and not exhausted:
        exhausted = _singles(state, singles, start.right, budget.candidates)
    while state.slow and state.goes_on():
        _slow(state)
    tried = state.found.tried if state.found else state.tried
    return SearchResult(tried, state.found, monotonic() - state.started, exhausted=exhausted)


def _start(state: _Search, program: Program) -> Outcome:
    """Run the program itself; where it takes its time and ends, so will the right one."""
    for patience in range(MOST_PATIENCE + 1):
        (start,) = state.run_tests([program.source], patience)
        if not start.slow:
            state.patience = patience
            break
    return start


def _singles(state: _Search, order: Iterator[Candidate], right: int, until: int) -> bool:
    """Run single edits until one passes or the budget is spent; True when there are no more."""
    while state.goes_on() and state.tried < until:
        batch = list(islice(order, min(BATCHES[state.patience], until - state.tried)))
        if not batch:
            return True
        state.batch(batch, right)
    return False


def _slow(state: _Search) -> None:
    """Run those that were cut again, with more time, in the order in which they came."""
    cut, state.slow, state.again = state.slow, [], True
    state.patience += 1
    step = BATCHES[state.patience]
    for start in range(0, len(cut), step):
        batch = cut[start : start + step]
        outcomes = state.run_tests([text for _, text, _ in batch], state.patience)
        for (made, text, first), outcome in zip(batch, outcomes, strict=True):
            if outcome.passed:
                state.found = state.found or Plausible(text, made, state.tried, first)
            elif outcome.slow and state.patience < MOST_PATIENCE:
                state.slow.append((made, text, first))
        if not state.goes_on():
            return


def _pairs(state: _Search) -> None:
    """Try second edits on the single ones that came furthest, a slice of each in turn."""
    until = state.tried + state.budget.pairs
    best = sorted(state.promising, key=lambda item: (-item[0], -item[1].score))[:12]
    orders = []
    for right, made, text in best:
        try:
            orders.append((right, made, state.order(Program(text, issue=made.program.issue))))
        except SyntaxError:
            continue
    while orders and state.goes_on() and state.tried < until:
        for item in list(orders):
            right, made, order = item
            batch = list(islice(order, BATCHES[state.patience]))
            if not batch:
                orders.remove(item)
                continue
            state.batch(batch, right, made)
            if not state.goes_on() or state.tried >= until:
                return
