"""The search for a repair: candidates in order, run against the visible tests, until one passes.

Single edits come first; then, where the budget allows, a second edit on those single ones that
came further than the program did. After the first that passes, a window of further candidates is
looked at, so that the answer is the best of several and not only the first.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from time import monotonic

from trainers.code_trainer.edits.instantiate import Candidate
from trainers.code_trainer.edits.program import Program
from trainers.code_trainer.edits.slots import Words
from trainers.code_trainer.edits.splice import NoText
from trainers.code_trainer.edits.twice import repeated

BATCH = 48
MOST_FIRSTS = 400
"""Single edits that are made a second time elsewhere."""

MOST_PROMISING = 12
"""Single edits that second ones of any kind are tried on."""


@dataclass(frozen=True)
class Budget:
    """What one search may use.

    ``candidates``: programs run before a first one passes; ``seconds``: of wall time in all;
    ``window``: further candidates looked at after it; ``pairs`` and ``twice``: of ``candidates``
    how many may be spent on second edits of any kind, and on the same edit at a second place.
    """

    candidates: int = 4000
    seconds: float = 60.0
    window: int = 200
    pairs: int = 1200
    twice: int = 600


@dataclass(frozen=True)
class Outcome:
    """How a program did: whether all tests pass, and how many calls were right before one failed."""

    passed: bool
    right: int = 0


RunTests = Callable[[Sequence[str]], list[Outcome]]
"""Runs texts of programs against the visible tests; one outcome for each, in their order."""


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
    """What a search found; ``candidates_tried`` until the first that passes, or in all.

    ``reproduced``: the program itself fails the visible tests; where it does not, nothing is tried.
    """

    candidates_tried: int
    plausible: tuple[Plausible, ...] = ()
    seconds: float = 0.0
    reproduced: bool = True
    exhausted: bool = False

    @property
    def first_plausible(self) -> Plausible | None:
        """The first that passes."""
        return self.plausible[0] if self.plausible else None


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
    found: list[Plausible] = field(default_factory=list)
    promising: list[tuple[int, Candidate, str]] = field(default_factory=list)
    firsts: list[tuple[Candidate, str]] = field(default_factory=list)

    def spent(self) -> bool:
        """Tell whether the time is over."""
        return monotonic() - self.started > self.budget.seconds

    def batch(
        self, candidates: Iterable[tuple[Candidate | None, Candidate]], right: int
    ) -> None:
        """Run some candidates, and keep those that pass and those that come further than before.

        Args:
            candidates: each with the edit before it, None where it is the first.
            right: calls that the program itself gets right before one fails.
        """
        written = []
        for first, made in candidates:
            try:
                written.append((first, made, made.text))
            except NoText:
                continue
        outcomes = self.run_tests([text for _, _, text in written])
        for (first, made, text), outcome in zip(written, outcomes, strict=True):
            self.tried += 1
            if outcome.passed:
                self.found.append(Plausible(text, made, self.tried, first))
            elif first is None:
                self.firsts.append((made, text))
                if outcome.right > right:
                    self.promising.append((outcome.right, made, text))


def search(
    program: Program,
    order: Order,
    run_tests: RunTests,
    budget: Budget,
    *,
    words: Words | None = None,
    first_only: bool = False,
) -> SearchResult:
    """Search for edits that make a program pass its visible tests.

    Args:
        program: what is to be repaired.
        order: gives its candidates, likeliest first.
        run_tests: see :data:`RunTests`.
        budget: when to stop.
        words: what filled slots in the fixes, for the same edit at a second place.
        first_only: stop at the first that passes, without a window after it.
    """
    state = _Search(order, run_tests, budget)
    (start,) = run_tests([program.source])
    if start.passed:
        return SearchResult(0, reproduced=False, seconds=monotonic() - state.started)
    singles = order(program)
    alone = budget.candidates - budget.pairs - budget.twice
    exhausted = _singles(state, singles, start.right, alone)
    _run(state, repeated(state.firsts[:MOST_FIRSTS], words or {}), start.right, budget.twice)
    _pairs(state)
    exhausted = exhausted or _singles(state, singles, start.right, budget.candidates)
    tried = state.found[0].tried if state.found else state.tried
    if state.found and not first_only:
        _window(state, singles, start.right)
    return SearchResult(
        tried, tuple(state.found), monotonic() - state.started, exhausted=exhausted
    )


def _singles(state: _Search, order: Iterator[Candidate], right: int, until: int) -> bool:
    """Run single edits until one passes or so many were tried; True when there are no more."""
    return _run(state, ((None, made) for made in order), right, until - state.tried)


def _run(
    state: _Search,
    candidates: Iterator[tuple[Candidate | None, Candidate]],
    right: int,
    count: int,
) -> bool:
    """Run candidates until one passes or ``count`` were tried; True when there are no more."""
    until = state.tried + count
    while not state.found and not state.spent() and state.tried < until:
        batch = list(islice(candidates, min(BATCH, until - state.tried)))
        if not batch:
            return True
        state.batch(batch, right)
    return False


def _window(state: _Search, order: Iterator[Candidate], right: int) -> None:
    """Look at what comes after the first that passes."""
    until = state.tried + state.budget.window
    while not state.spent() and state.tried < until:
        batch = [(None, made) for made in islice(order, BATCH)]
        if not batch:
            return
        state.batch(batch, right)


def _pairs(state: _Search) -> None:
    """Try second edits on the single ones that came furthest, a slice of each in turn."""
    until = state.tried + state.budget.pairs
    best = sorted(state.promising, key=lambda item: (-item[0], -item[1].score))[:MOST_PROMISING]
    orders = []
    for right, made, text in best:
        try:
            orders.append((right, made, state.order(Program(text, issue=made.program.issue))))
        except SyntaxError:
            continue
    while orders and not state.found and not state.spent() and state.tried < until:
        for item in list(orders):
            right, first, order = item
            batch = [(first, made) for made in islice(order, BATCH)]
            if not batch:
                orders.remove(item)
                continue
            state.batch(batch, right)
            if state.found or state.spent() or state.tried >= until:
                return
