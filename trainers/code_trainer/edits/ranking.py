"""The candidates of a program in order: the likeliest first, made only as they are asked for."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from math import inf, log, prod
from random import Random

from trainers.code_trainer.edits.instantiate import (
    MOST_FILLINGS,
    Candidate,
    Cell,
    Fillings,
    Scored,
    candidate,
    filled,
    fits,
    instantiate,
    place_name,
)
from trainers.code_trainer.edits.library import PatternLibrary
from trainers.code_trainer.edits.pattern import Pattern
from trainers.code_trainer.edits.priors import Evidence, Priors, Reweigh
from trainers.code_trainer.edits.program import Program, Site
from trainers.code_trainer.edits.slots import Slots
from trainers.code_trainer.edits.spectrum import Spectrum
from trainers.code_trainer.edits.template import Hole, Tree

PROBED, SLACK = 3, 0.5
"""Places where the fillings of a kind of slot are looked at, and how much better others may be."""


class Ranking:
    """Orders the candidates of programs by learned priors.

    Args:
        library: the patterns.
        priors: the weights.
        reweigh: what circuits and constraints add to a pattern's score in a context.
    """

    def __init__(
        self, library: PatternLibrary, priors: Priors, *, reweigh: Reweigh | None = None
    ) -> None:
        self.library, self.priors = library, priors
        self._reweigh = reweigh
        self._groups: dict[str, list[tuple[Pattern, float]]] = {}
        self._habits: dict[tuple[str, str, str], float] = {}
        self._evidence = evidence = Evidence(library)
        for key in sorted(library.patterns):
            pattern = library.patterns[key]
            score = priors.score(evidence.pattern(pattern))
            self._groups.setdefault(_place_of(pattern), []).append((pattern, score))

    def ordered(
        self, program: Program, spectrum: Spectrum | None = None, *, sites: list[Site] | None = None
    ) -> Iterator[Candidate]:
        """Give the candidates, best first, each normal form once and never the program itself."""
        heap = _Cells(self, program, spectrum).open(program.sites if sites is None else sites)
        heapq.heapify(heap)
        seen = set[int]()
        while heap:
            cell = heapq.heappop(heap)
            made = cell.take()
            if cell.bound is not None:
                heapq.heappush(heap, cell)
            if made is not None and made.changes and (key := hash(made.key)) not in seen:
                seen.add(key)
                yield made

    def sampled(
        self, program: Program, spectrum: Spectrum | None, count: int, random: Random
    ) -> list[tuple[float, Cell, Fillings]]:
        """Draw fillings of cells at random, whatever they score.

        Returns:
            For each the logarithm of how many of the program's candidates it stands for, and what
            it is; nonsense and doubles are among them.
        """
        opened = _Cells(self, program, spectrum).open(program.sites)
        drawn = random.choices(opened, k=count) if opened else []
        found = [item.drawn(random, len(opened) / count) for item in drawn]
        return [one for one in found if one is not None]

    def groups(self, site: Site) -> Iterator[tuple[Pattern, float]]:
        """Give the patterns that could fit at a place, with their own scores."""
        for place in _places(site):
            yield from self._groups.get(place, ())

    def habit(self, pattern: Pattern, site: Site) -> float:
        """Return what past fixes say of a pattern at a kind of place; computed once for each."""
        node = "" if site.node is None else type(site.node).__name__
        key = (pattern.key, site.context, node)
        if key not in self._habits:
            features = self._evidence.habit(pattern, site.context, node)
            self._habits[key] = self.priors.score(features)
        return self._habits[key]

    def extra(self, site: Site, pattern: Pattern) -> float:
        """Return what circuits and constraints add."""
        return 0.0 if self._reweigh is None else self._reweigh(site.context, pattern.key)


def fixed_order(library: PatternLibrary, program: Program, *, seed: int = 0) -> Iterator[Candidate]:
    """Give the same candidates as an untrained order has them: pattern by pattern, place by place.

    The patterns are shuffled by the seed; nothing that was learned has a say.
    """
    keys = sorted(library.patterns)
    Random(seed).shuffle(keys)
    slots = Slots(program, library.words)
    seen = set[int]()
    for key in keys:
        for made in instantiate(library.patterns[key], program, None, slots):
            if made.changes and (name := hash(made.key)) not in seen:
                seen.add(name)
                yield made


class _Open:
    """A cell whose fillings are being given; ``bound``: the score of the next, None at the end.

    What can fill its slots is asked for when the cell comes to the front; before that ``bound`` is
    a guess from above, since most cells of a program never come there.
    """

    def __init__(
        self, program: Program, cell: Cell, number: int, base: float, ask: "_Ask", bound: float
    ) -> None:
        self._program, self._cell, self._number, self._base = program, cell, number, base
        self._ask = ask
        self.bound: float | None = bound
        self._fillings: Iterator[tuple[float, Fillings]] | None = None
        self._next: tuple[float, Fillings] | None = None

    def __lt__(self, other: "_Open") -> bool:
        mine, theirs = self.bound or 0.0, other.bound or 0.0
        return (-mine, self._number) < (-theirs, other._number)

    def drawn(self, random: Random, share: float) -> tuple[float, Cell, Fillings] | None:
        """Return a filling drawn at random; ``share``: of the cells that this one stands for."""
        lists = self._ask(self._cell)
        if not all(lists):
            return None
        chosen = [random.choice(items)[1] for items in lists]
        count = min(MOST_FILLINGS, prod(len(items) for items in lists))
        fillings = tuple(zip(self._cell.pattern.slots, chosen, strict=True))
        return log(max(1.0, share * count)), self._cell, fillings

    def take(self) -> Candidate | None:
        """Return the next candidate, None where there is none yet or it makes no sense there."""
        if self._fillings is None:
            lists = self._ask(self._cell)
            self._fillings = filled(self._cell, lists) if all(lists) else iter(())
            self._advance()
            return None
        assert self._next is not None
        score, fillings = self._next
        self._advance()
        return candidate(self._program, self._cell, fillings, self._base + score)

    def _advance(self) -> None:
        assert self._fillings is not None
        self._next = next(self._fillings, None)
        self.bound = None if self._next is None else self._base + self._next[0]


_Ask = Callable[[Cell], list[Scored]]


class _Cells:
    """The patterns that fit at the places of one program, with their scores."""

    def __init__(self, ranking: Ranking, program: Program, spectrum: Spectrum | None) -> None:
        self._ranking, self._program = ranking, program
        self._evidence = Evidence(ranking.library, program, spectrum)
        self._slots = Slots(program, ranking.library.words)
        self._scored: dict[tuple[object, ...], Scored] = {}
        self._seen_best: dict[tuple[str, str, bool], list[float]] = {}

    def open(self, sites: Iterable[Site]) -> list[_Open]:
        """Return all cells at some places."""
        found: list[_Open] = []
        ranking, score = self._ranking, self._ranking.priors.score
        bases = [(score(self._evidence.site(site)), site) for site in sites]
        for base, site in sorted(bases, key=lambda item: -item[0]):
            lost: dict[tuple[bool, str | None], float] = {}
            for pattern, own in ranking.groups(site):
                cell = fits(pattern, site)
                if cell is not None:
                    if (kind := pattern.leaves) not in lost:
                        lost[kind] = score(self._evidence.loss(pattern, site))
                    here = lost[kind]
                    here += ranking.habit(pattern, site) + ranking.extra(site, pattern)
                    total = base + own + here
                    bound = total + sum(self._best(site, hole, pattern) for hole in pattern.slots)
                    found.append(_Open(self._program, cell, len(found), total, self._lists, bound))
        return found

    def _lists(self, cell: Cell) -> list[Scored]:
        """What can fill each slot of a cell, best first."""
        after = cell.pattern.after
        return [self._choices(cell.site, hole, hole == after) for hole in cell.pattern.slots]

    def _best(self, site: Site, hole: Hole, pattern: Pattern) -> float:
        """Guess from above what the best filling of a slot scores, from the likeliest places."""
        key = (hole.kind, hole.type, hole == pattern.after)
        seen = self._seen_best.setdefault(key, [])
        if len(seen) < PROBED:
            choices = self._choices(site, hole, hole == pattern.after)
            if choices:
                seen.append(choices[0][0])
            return choices[0][0] if choices else -inf
        return max(seen) + SLACK

    def _choices(self, site: Site, hole: Hole, root: bool) -> Scored:
        key = (site.path, site.node is None, hole.kind, hole.type, root)
        known = self._scored.get(key)
        if known is None:
            score = self._ranking.priors.score
            known = [(score(c.features), c) for c in self._slots.choices(site, hole, root)]
            known = sorted(known, key=lambda item: -item[0])
            self._scored[key] = known
        return known


def _place_of(pattern: Pattern) -> str:
    """Return where a pattern is looked up: by its list, or the type that it asks for."""
    if pattern.kind != "replace":
        return f"{pattern.kind}:{pattern.where}"
    return pattern.before.type if isinstance(pattern.before, Hole | Tree) else ""


def _places(site: Site) -> Iterator[str]:
    where = place_name(site)
    if site.node is None:
        yield f"insert:{where}"
    else:
        yield f"delete:{where}"
        yield type(site.node).__name__
        if site.category != type(site.node).__name__:
            yield site.category
