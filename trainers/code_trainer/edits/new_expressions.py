"""Expressions that a program does not have: its own ones adapted, and those that fixes wrote."""

import ast
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain, combinations, islice
from math import log

from trainers.code_trainer.edits.choice import Choice, Words
from trainers.code_trainer.edits.program import Site
from trainers.code_trainer.edits.sums import best_sums
from trainers.code_trainer.edits.template import Hole, Value, fill, from_json, holes
from trainers.code_trainer.edits.tree import Path, form, put, size, walk

MOST_DONORS, MOST_ADAPTED = 6, 4
MOST_TEMPLATES, MOST_TEMPLATE_FILLINGS = 14, 6
MOST_SWAPPED = 24

Ask = Callable[[Site, Hole], Iterable[Choice]]
"""Gives the choices for a slot at a place."""

_NAME, _INT, _EXPRESSION = Hole("name", 0, ""), Hole("const", 0, "int"), Hole("expr", 0, "")


class NewExpressions:
    """Makes expressions of a type.

    Args:
        words: what fixes wrote.
        ask: gives what can stand at a place, likely things first.
        choices: the same, with what each choice's share is.
    """

    def __init__(self, words: Words, ask: Ask, choices: Ask) -> None:
        self._words, self._ask, self._choices = words, ask, choices
        self._made_templates: dict[str, list[tuple[Value, int]]] = {}

    def of(self, site: Site, kind: str) -> Iterator[Choice]:
        """Give new expressions of a type: those of the function, adapted, and templates filled."""
        if kind == "leaf":
            for choice in chain(self._ask(site, _NAME), self._ask(site, _INT)):
                yield Choice(choice.value, {**choice.features, "made.leaf": 1.0})
            return
        seen = {form(site.node)} if site.node is not None else set()
        found = chain(self._donated(site, kind), self._templates(site, kind))
        for choice in found:
            if isinstance(choice.value, ast.AST) and (key := form(choice.value)) not in seen:
                seen.add(key)
                yield choice

    def _donated(self, site: Site, kind: str) -> Iterator[Choice]:
        found = [c.value for c in self._ask(site, _EXPRESSION) if type(c.value).__name__ == kind]
        donors = [node for node in found if isinstance(node, ast.AST)][:MOST_DONORS]
        for node in donors:
            yield Choice(node, {"made.donor": 1.0})
        for node in donors:
            for leaf, step in _leaves(node):
                kind_of = type(leaf.value).__name__ if isinstance(leaf, ast.Constant) else ""
                hole = Hole("const", 0, kind_of) if kind_of else _NAME
                options = self._ask(replace(site, node=leaf), hole)
                for choice in islice(options, MOST_ADAPTED):
                    if isinstance(choice.value, ast.AST):
                        features = {"made.adapted": 1.0, "made.inner": _rough(choice)}
                        yield Choice(put(node, step, choice.value), features)

    def _templates(self, site: Site, kind: str) -> Iterator[Choice]:
        known: dict[tuple[str, str], list[tuple[float, Choice]]] = {}

        def options(hole: Hole) -> list[tuple[float, Choice]]:
            """What fills a hole here, the likeliest first; templates have the same few kinds."""
            if (key := (hole.kind, hole.type)) not in known:
                rough = ((_rough(choice), choice) for choice in self._choices(site, hole))
                known[key] = sorted(rough, key=lambda item: -item[0])
            return known[key]

        for made, count in self._made_of(kind):
            own = [hole for hole in holes(made) if hole.kind != "e"]
            lists = [options(hole) for hole in own]
            if not all(lists):
                continue
            for score, chosen in islice(best_sums(lists), MOST_TEMPLATE_FILLINGS):
                filling = {h.index: c.value for h, c in zip(own, chosen, strict=True)}
                features = {"made.template": 1.0, "made.word": log(1 + count), "made.inner": score}
                features["made.unused"] = float(any("name.unused" in c.features for c in chosen))
                yield Choice(fill(made, {}, filling), features)

    def _made_of(self, kind: str) -> list[tuple[Value, int]]:
        """Return the commonest templates of new expressions of a type, with their counts."""
        if kind not in self._made_templates:
            found = [(v, n) for (k, t, v), n in self._words.items() if k == "made" and t == kind]
            found.sort(key=lambda item: (-item[1], len(item[0]), item[0]))
            common = found[:MOST_TEMPLATES]
            self._made_templates[kind] = [(from_json(json.loads(v)), n) for v, n in common]
        return self._made_templates[kind]


def swapped(site: Site) -> Iterator[Choice]:
    """Give what is replaced with two of its parts changed about."""
    if site.node is None or size(site.node) > MOST_SWAPPED:
        return
    parts = [(p, n) for p, n in walk(site.node) if p and isinstance(n, ast.expr)]
    for (one, left), (other, right) in combinations(parts, 2):
        apart = one != other[: len(one)]
        if apart and form(left) != form(right) and "func" not in (one[-1][0], other[-1][0]):
            siblings = one[:-1] == other[:-1] or len(one) == len(other)
            features = {
                "swap.siblings": float(siblings),
                "swap.depth": float(len(one) + len(other) - 2),
                "swap.same": float(type(left) is type(right)),
            }
            yield Choice(put(put(site.node, one, right), other, left), features)


def _leaves(node: ast.AST) -> Iterator[tuple[ast.AST, Path]]:
    for path, leaf in walk(node):
        if path and isinstance(leaf, ast.Name | ast.Constant) and path[-1][0] != "func":
            yield leaf, path


_ROUGH = {"name.share": 0.3, "name.near": 0.5, "name.unused": 2.0, "name.param": 0.5}
_ROUGH |= {"name.loop": 0.5, "name.inner": 0.5, "name.local": 0.5, "name.later": -2.0}
_ROUGH |= {"name.function": -1.0, "const.word": 0.3, "attr.word": 0.5, "attr.function": 1.0}


def _rough(choice: Choice) -> float:
    """Return a first guess of how good a filling is, for what is filled inside another."""
    return sum(_ROUGH.get(name, 0.0) * value for name, value in choice.features.items())
