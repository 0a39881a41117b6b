"""Draws bugs for a function: a class is asked for, the kind and the place are drawn."""

import ast
from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

from trainers.ctm.data.operators import multiple, names, simple, statements
from trainers.ctm.data.operators.function import Change, Function, Rewrite
from trainers.ctm.data.operators.security import TEMPLATES, Template, inserted
from trainers.ctm.data.operators.syntax import OPERATIONS
from trainers.ctm.data.taxonomy import KINDS, LOGIC, BugClass

_REWRITES: dict[BugClass, tuple[tuple[str, tuple[type[ast.AST], ...], Rewrite], ...]] = {
    "simple_logic": simple.REWRITES,
    "all_logic": (*names.REWRITES, *statements.REWRITES, *multiple.REWRITES),
}
_COMBINED = "two_bugs"
_Site = tuple[int, Change]


class Mutant(NamedTuple):
    """A function with a bug of a kind, and the sound one that its repair gives."""

    buggy: str
    fixed: str
    kind: str


class Mutator:
    """All places of a function where bugs can be put, found once."""

    def __init__(
        self, function: Function, rng: Random, templates: Sequence[Template] = TEMPLATES
    ) -> None:
        self._function, self._rng, self._templates = function, rng, templates
        self._sites: dict[BugClass, dict[str, list[_Site]]] = {}

    def draw(self, bug_class: BugClass, count: int) -> Iterator[Mutant]:
        """Give up to ``count`` mutants of a class, at places that are drawn without repeating."""
        if bug_class == "syntax":
            yield from self._syntax(count)
        elif bug_class == "security":
            yield from self._security(count)
        elif bug_class in _REWRITES:
            yield from self._logic(bug_class, count)

    def _syntax(self, count: int) -> Iterator[Mutant]:
        program, rng = self._function.program, self._rng
        places = {kind: sites(program) for kind, (sites, _) in OPERATIONS.items()}
        for _ in range(count):
            kind = _drawn(places, rng)
            if kind is None:
                return
            at = places[kind].pop(rng.randrange(len(places[kind])))
            buggy = OPERATIONS[kind][1](program, at, rng)
            yield Mutant(buggy, self._function.code, kind)

    def _security(self, count: int) -> Iterator[Mutant]:
        for template in self._rng.sample(self._templates, min(count, len(self._templates))):
            pair = inserted(self._function, template, self._rng)
            if pair is not None:
                yield Mutant(*pair, template.name)

    def _logic(self, bug_class: BugClass, count: int) -> Iterator[Mutant]:
        places = {kind: list(sites) for kind, sites in self._found(bug_class).items()}
        singles = [site for one in LOGIC for sites in self._found(one).values() for site in sites]
        if bug_class == "all_logic" and len(singles) > 1:
            places[_COMBINED] = singles
        for _ in range(count):
            kind = _drawn(places, self._rng)
            if kind is None:
                return
            change: Change | None
            if kind == _COMBINED:
                change = multiple.combined(singles, self._rng)
            else:
                _, change = places[kind].pop(self._rng.randrange(len(places[kind])))
            if change is not None:
                yield Mutant(self._function.changed(change), self._function.code, kind)

    def _found(self, bug_class: BugClass) -> dict[str, list[_Site]]:
        if bug_class not in self._sites:
            self._sites[bug_class] = _places(self._function, _REWRITES[bug_class], self._rng)
        return self._sites[bug_class]


def _places(
    function: Function,
    rewrites: tuple[tuple[str, tuple[type[ast.AST], ...], Rewrite], ...],
    rng: Random,
) -> dict[str, list[_Site]]:
    by_type: dict[type, list[tuple[str, Rewrite]]] = {}
    for kind, types, rewrite in rewrites:
        for one in types:
            by_type.setdefault(one, []).append((kind, rewrite))
    found: dict[str, list[_Site]] = {}
    for node in function.nodes:
        for kind, rewrite in by_type.get(type(node), ()):
            for change in rewrite(node, function, rng):
                found.setdefault(kind, []).append((getattr(node, "lineno", 0), change))
    return found


def _drawn(places: dict[str, list[_Site]] | dict[str, list[int]], rng: Random) -> str | None:
    """A kind that still has places, by its weight."""
    kinds = sorted(kind for kind, sites in places.items() if sites)
    if not kinds:
        return None
    return rng.choices(kinds, [KINDS[kind].weight for kind in kinds])[0]
