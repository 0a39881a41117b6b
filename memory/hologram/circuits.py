"""CircuitObserver: which pattern works in which context, counted across tasks.

Source: the seed's ``CircuitObserver`` ("learn which patterns succeed"; code trainer §4.1). Thompson
sampling: Thompson 1933, Biometrika 25:285; Russo et al. 2018, "A Tutorial on Thompson Sampling".
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.random import Generator

from memory.hologram.intervals import ratio, wilson
from memory.observations import distinct
from memory.records import Figure
from memory.repair_records import ObservationCount, ObservationRow
from memory.store import Store

# How many outcomes' worth the wider level's rate counts: of all patterns for a pattern, and of a
# pattern elsewhere for it in a context. Two outcomes are enough to doubt a pattern never seen; in
# a context a handful outweighs what holds elsewhere.
PATTERN_STRENGTH = 2.0
CONTEXT_STRENGTH = 4.0


@dataclass(frozen=True)
class Transfer:
    """A pattern that was tried in several contexts: its success rate with interval.

    ``worked_in`` counts the contexts in which it succeeded at least once; the interval is over
    contexts, the unit that a new context is drawn from.
    """

    pattern: str
    contexts: int
    worked_in: int
    rate: Figure


class CircuitObserver:
    """Successes and failures by (context, pattern), from the store and back into it.

    A circuit that was seen rarely leans on its pattern over all other contexts, and that on all
    patterns: a Beta posterior whose prior mean is the wider level's rate.

    Args:
        store: where observations are; None: there are none and none is kept.
        before: only what is known from tasks before this time (Unix seconds) or without a date.
        writes: False keeps what is recorded in this object only.
    """

    def __init__(
        self, store: Store | None = None, *, before: float | None = None, writes: bool = True
    ) -> None:
        self._store = store
        self._sink = store if writes else None
        self._before = before
        self._recorded: set[tuple[object, ...]] = set()
        self._load()

    def snapshot(self) -> Self:
        """A copy that knows the same and whose observations are kept nowhere."""
        other = copy(self)
        other._sink = None
        other._recorded = set(self._recorded)
        other._counts = {key: list(counts) for key, counts in self._counts.items()}
        other._by_pattern = defaultdict(_zero, {k: list(v) for k, v in self._by_pattern.items()})
        other._total = list(self._total)
        return other

    def record(self, observations: Iterable[ObservationRow]) -> None:
        """Count outcomes, and store them; the same pattern, context, task and round count once.

        Of several on the same a success is what is kept.

        Raises:
            SplitGuardError: one is not of the train split; then none is stored or counted.
        """
        rows = distinct(observations)
        if self._sink is not None:
            if self._sink.add_observations(rows) < len(rows):
                self._load()  # some were there already
                return
        else:
            keys = [(row.context, row.pattern, row.task_id, row.problem_id) for row in rows]
            known = [key in self._recorded for key in keys]
            rows = [row for row, there in zip(rows, known, strict=True) if not there]
            self._recorded.update(keys)
        for row in rows:
            self._add(row.context, row.pattern, int(row.success), int(not row.success))

    def posterior(self, context: str, pattern: str) -> tuple[float, float]:
        """The two parameters of the Beta distribution of this circuit's success rate."""
        successes, failures = self._counts.get((context, pattern), (0, 0))
        elsewhere = self._by_pattern.get(pattern, (0, 0))
        won, lost = elsewhere[0] - successes, elsewhere[1] - failures
        overall = (self._total[0] + 1) / (sum(self._total) + 2)
        prior = (won + PATTERN_STRENGTH * overall) / (won + lost + PATTERN_STRENGTH)
        return (
            successes + CONTEXT_STRENGTH * prior,
            failures + CONTEXT_STRENGTH * (1 - prior),
        )

    def mean(self, context: str, pattern: str) -> float:
        """The expected success rate of a pattern in a context."""
        alpha, beta = self.posterior(context, pattern)
        return alpha / (alpha + beta)

    def rank(self, context: str, patterns: Sequence[str], rng: Generator) -> list[str]:
        """The patterns, the most promising first, by one draw each from its posterior.

        Patterns of which little is known come first now and then, so that they become known; how
        often falls by itself. The same ``rng`` state gives the same order.
        """
        if not patterns:
            return []
        parameters = np.array([self.posterior(context, pattern) for pattern in patterns])
        draws = rng.beta(parameters[:, 0], parameters[:, 1])
        return [patterns[index] for index in np.argsort(-draws, kind="stable")]

    def circuits(self) -> list[ObservationCount]:
        """All circuits with their counts, by context and pattern."""
        return [ObservationCount(*key, *self._counts[key]) for key in sorted(self._counts)]

    def transfer(self, *, min_contexts: int = 2, seed: int = 0) -> list[Transfer]:
        """What works across contexts: the patterns tried in several, the surest first."""
        tried: dict[str, list[list[int]]] = defaultdict(list)
        for (_, pattern), counts in sorted(self._counts.items()):
            tried[pattern].append(counts)
        found = [
            Transfer(pattern, len(counts), sum(won > 0 for won, _ in counts), _rate(counts, seed))
            for pattern, counts in tried.items()
            if len(counts) >= min_contexts
        ]
        return sorted(found, key=lambda item: (-(item.rate.low or 0.0), item.pattern))

    def _load(self) -> None:
        self._counts: dict[tuple[str, str], list[int]] = {}
        self._by_pattern: defaultdict[str, list[int]] = defaultdict(_zero)
        self._total = [0, 0]
        if self._store is not None:
            for row in self._store.observation_counts(before=self._before):
                self._add(row.context, row.pattern, row.successes, row.failures)

    def _add(self, context: str, pattern: str, successes: int, failures: int) -> None:
        own = self._counts.setdefault((context, pattern), _zero())
        for counts in (own, self._by_pattern[pattern], self._total):
            counts[0] += successes
            counts[1] += failures


def _zero() -> list[int]:
    return [0, 0]


def _rate(counts: Sequence[Sequence[int]], seed: int) -> Figure:
    """The pooled success rate, its interval over contexts.

    Where all contexts have the same rate a bootstrap would claim certainty; the interval is then
    that of a proportion among as many contexts.
    """
    rates = {won / (won + lost) for won, lost in counts}
    if len(rates) == 1 and rates <= {0.0, 1.0}:
        return wilson(int(rates.pop()) * len(counts), len(counts))
    return ratio([won for won, _ in counts], [won + lost for won, lost in counts], seed=seed)
