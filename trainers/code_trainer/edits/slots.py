"""What can fill a slot of a pattern at a place of a program, and what speaks for each choice.

Sources: names in scope, constants of the function and neighbours of the replaced one, small
constants, words of the issue, built-ins and methods that fixes put in, expressions of the same
function, parts of what is replaced.
"""

import ast
import builtins
import importlib
import inspect
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import chain, combinations, islice
from math import log

from trainers.code_trainer.edits.program import Program, Site
from trainers.code_trainer.edits.scope import Known
from trainers.code_trainer.edits.sums import best_sums
from trainers.code_trainer.edits.template import (
    Filling,
    Hole,
    Value,
    category,
    fill,
    from_json,
    holes,
)
from trainers.code_trainer.edits.tree import OPERATORS, Path, changed, form, size, walk
from trainers.code_trainer.edits.types import alike, type_of

Features = dict[str, float]
Words = Mapping[tuple[str, str, str], int]
"""How often (slot kind, type, value) was seen in fixes."""

MOST_NAMES, MOST_WORDS, MOST_EXPRESSIONS = 16, 40, 24
MOST_DONORS, MOST_ADAPTED = 6, 4
MOST_TEMPLATES, MOST_TEMPLATE_FILLINGS = 14, 6
MOST_SWAPPED = 24
PLAIN_BUILTINS = (
    "abs all any bin bool chr dict divmod enumerate filter float frozenset int len list map max min"
    " ord pow range reversed round set sorted str sum tuple zip"
).split()
"""Built-ins that only compute."""

PLAIN_METHODS = tuple(
    name
    for kind in (str, list, dict, set)
    for name in dir(kind)
    if name[0] != "_" and not name.startswith("format")
)
_PURE_MODULES = frozenset("math string itertools functools operator heapq bisect statistics".split())
_OPERATORS: dict[str, tuple[type[ast.AST], ...]] = {
    "operator": (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
    + (ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift),
    "cmpop": (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
    + (ast.Is, ast.IsNot, ast.In, ast.NotIn),
    "boolop": (ast.And, ast.Or),
    "unaryop": (ast.Not, ast.USub, ast.Invert, ast.UAdd),
}
_SMALL: dict[str, tuple[object, ...]] = {
    "int": (0, 1, 2, -1, 3, 10),
    "float": (0.0, 1.0, 0.5, 2.0),
    "str": ("", " ", ",", "\n"),
    "bool": (True, False),
}


@dataclass(frozen=True)
class Choice:
    """A filling of a slot, and its features."""

    value: Filling
    features: Features

    @property
    def text(self) -> str:
        """The filling as a person reads it."""
        if isinstance(self.value, OPERATORS):
            return type(self.value).__name__
        return self.value if isinstance(self.value, str) else ast.unparse(self.value)


class Slots:
    """The choices for slots in one program; those of one place and kind are found once.

    Args:
        program: where they are filled.
        words: what filled slots in the fixes that patterns were mined from.
    """

    def __init__(self, program: Program, words: Words) -> None:
        self._program = program
        self._words = words
        self._known: dict[tuple[object, ...], list[Choice]] = {}
        self._made_templates: dict[str, list[tuple[Value, int]]] = {}
        self._frequent_words: dict[str, list[tuple[str, int]]] = {}
        self._kinds = {
            "name": self._names,
            "const": self._constants,
            "builtin": self._builtins,
            "attr": self._attributes,
            "op": self._operators,
            "expr": self._expressions,
            "sub": self._parts,
            "made": self._made,
            "swap": self._swaps,
            "kwarg": self._keywords,
        }

    def choices(self, site: Site, hole: Hole, root: bool = False) -> list[Choice]:
        """Return what can fill a slot at a place, in a fixed order.

        Args:
            site: the place.
            hole: the slot.
            root: it takes the whole place of what was there, so that its type should be alike.
        """
        key: tuple[object, ...] = (site.path, site.node is None, hole.kind, hole.type)
        if key not in self._known:
            if hole.kind == "made":  # what is replaced has no say: one list for a whole statement
                site, kept = replace(site, node=None), site
                shared = (id(site.statement), self._in_scope(site), hole.type)
                self._known[key] = self._shared(shared, site, hole)
                site = kept
            else:
                self._known[key] = self._found(site, hole)
        if not root or not isinstance(site.node, ast.expr):
            return self._known[key]
        if (*key, root) not in self._known:
            self._known[(*key, root)] = [self._typed(c, site, hole) for c in self._known[key]]
        return self._known[(*key, root)]

    def _shared(self, key: tuple[object, ...], site: Site, hole: Hole) -> list[Choice]:
        if key not in self._known:
            self._known[key] = self._found(site, hole)
        return self._known[key]

    def _found(self, site: Site, hole: Hole) -> list[Choice]:
        found = list(self._kinds[hole.kind](site, hole.type))
        share = -log(max(1, len(found)))
        for choice in found:
            choice.features[f"{hole.kind}.share"] = share
        return found

    def _in_scope(self, site: Site) -> frozenset[str]:
        return frozenset(self._program.scopes.visible(site.path))

    def _typed(self, choice: Choice, site: Site, hole: Hole) -> Choice:
        """Return a choice with what its type says beside the type of what it replaces."""
        if isinstance(choice.value, str):
            return choice
        known = self._program.types(site)
        new, old = type_of(choice.value, known), type_of(site.node, known)
        features = {**choice.features, f"type.{alike(new, old)}": 1.0}
        features[f"{hole.kind}.for.{type(site.node).__name__}"] = 1.0
        return Choice(choice.value, features)

    def _names(self, site: Site, _: str) -> Iterator[Choice]:
        near, types = _loads(site.statement), self._program.types(site)
        old = type_of(site.node, types)
        replaced = site.node.id if isinstance(site.node, ast.Name) else ""
        visible = self._program.scopes.visible(site.path).values()
        bound = [name for name in visible if name.name != replaced]
        bound.sort(key=lambda n: (n.kind in ("function", "import", "global"), abs(n.line - site.line)))
        for known in bound[:MOST_NAMES]:
            features = _name_features(known, site, near)
            features[f"name.type.{alike(types.get(known.name, ''), old)}"] = 1.0
            yield Choice(ast.Name(known.name, ast.Load()), features)

    def _constants(self, site: Site, kind: str) -> Iterator[Choice]:
        old = site.node.value if isinstance(site.node, ast.Constant) else None
        seen = Counter[str]()
        for label, value in self._constant_values(site, kind, old):
            text = repr(value)
            if type(value).__name__ != kind or text in seen or _same_constant(value, old):
                continue
            seen[text] += 1
            features = {f"const.{kind}.{label}": 1.0, "const.word": self._frequency("const", kind, text)}
            yield Choice(ast.Constant(value), features)

    def _constant_values(
        self, site: Site, kind: str, old: object
    ) -> Iterator[tuple[str, object]]:
        if type(old).__name__ == kind:
            yield from _neighbours(old)
        function = self._program.function_node(site)
        for _, node in walk(function):
            if isinstance(node, ast.Constant) and len(repr(node.value)) < 60:
                yield "function", node.value
        yield from (("small", value) for value in _SMALL.get(kind, ()))
        if kind == "str":
            quoted = re.findall(r"'([^'\n]{1,30})'|\"([^\"\n]{1,30})\"", self._program.issue)
            yield from (("issue", one or other) for one, other in quoted[:30])
        elif kind == "int":
            numbers = re.findall(r"(?<![\w.])\d{1,6}(?![\w.])", self._program.issue)
            yield from (("issue", int(number)) for number in numbers[:30])

    def _builtins(self, site: Site, _: str) -> Iterator[Choice]:
        replaced = site.node.id if isinstance(site.node, ast.Name) else ""
        for word in dict.fromkeys([*(w for w, _ in self._frequent("builtin")), *PLAIN_BUILTINS]):
            if word != replaced:
                features = {"builtin.word": self._frequency("builtin", "", word)}
                yield Choice(ast.Name(word, ast.Load()), features)

    def _attributes(self, site: Site, _: str) -> Iterator[Choice]:
        own = Counter(
            node.attr
            for _, node in walk(self._program.function_node(site))
            if isinstance(node, ast.Attribute)
        )
        replaced = site.node.attr if isinstance(site.node, ast.Attribute) else ""
        members = _members(site)
        words = [*members, *own, *(w for w, _ in self._frequent("attr")), *PLAIN_METHODS]
        for word in dict.fromkeys(words):
            if word != replaced:
                features = {"attr.word": self._frequency("attr", "", word)}
                features["attr.function"] = float(word in own)
                features["attr.member"] = float(word in members)
                features["attr.method"] = float(word in PLAIN_METHODS)
                features["attr.like"] = _likeness(word, replaced) if replaced else 0.0
                yield Choice(word, features)

    def _keywords(self, site: Site, _: str) -> Iterator[Choice]:
        call = site.parent if isinstance(site.parent, ast.Call) else site.node
        given = {k.arg for k in call.keywords} if isinstance(call, ast.Call) else set()
        for word in _parameters(call):
            if word not in given:
                yield Choice(word, {"kwarg.parameter": 1.0})

    def _swaps(self, site: Site, _: str) -> Iterator[Choice]:
        """Give what is replaced with two of its parts changed about."""
        if site.node is None or size(site.node) > MOST_SWAPPED:
            return
        parts = [(p, n) for p, n in walk(site.node) if p and isinstance(n, ast.expr)]
        for (one, left), (other, right) in combinations(parts, 2):
            apart = one != other[: len(one)]
            if apart and form(left) != form(right) and "func" not in (one[-1][0], other[-1][0]):
                made = changed(changed(site.node, one, lambda _, n=right: n), other, lambda _, n=left: n)
                features = {"swap.siblings": float(one[:-1] == other[:-1] or len(one) == len(other))}
                features["swap.depth"] = float(len(one) + len(other) - 2)
                features["swap.same"] = float(type(left) is type(right))
                yield Choice(made, features)

    def _made(self, site: Site, kind: str) -> Iterator[Choice]:
        """Give new expressions of a type: those of the function, adapted, and templates filled."""
        if kind == "leaf":
            for choice in chain(self._names(site, ""), self._constants(site, "int")):
                yield Choice(choice.value, {**choice.features, "made.leaf": 1.0})
            return
        seen = {form(site.node)} if site.node is not None else set()
        found = chain(self._donated(site, kind), self._templates(site, kind))
        for choice in found:
            if isinstance(choice.value, ast.AST) and form(choice.value) not in seen:
                seen.add(form(choice.value))
                yield choice

    def _donated(self, site: Site, kind: str) -> Iterator[Choice]:
        donors = [c.value for c in self._expressions(site, "") if type(c.value).__name__ == kind]
        for node in donors[:MOST_DONORS]:
            yield Choice(node, {"made.donor": 1.0})  # type: ignore[arg-type]
        for node in donors[:MOST_DONORS]:
            for leaf, step in _leaves(node):  # type: ignore[arg-type]
                kind_of = type(leaf.value).__name__ if isinstance(leaf, ast.Constant) else ""
                at_leaf = replace(site, node=leaf)
                options = self._constants(at_leaf, kind_of) if kind_of else self._names(at_leaf, "")
                for choice in islice(options, MOST_ADAPTED):
                    made = changed(node, step, lambda _, v=choice.value: v)  # type: ignore[arg-type]
                    yield Choice(made, {"made.adapted": 1.0, "made.inner": _rough(choice)})

    def _templates(self, site: Site, kind: str) -> Iterator[Choice]:
        for made, count in self._made_of(kind):
            own = [hole for hole in holes(made) if hole.kind != "e"]
            lists = [
                sorted(((_rough(c), c) for c in self.choices(site, h)), key=lambda i: -i[0])
                for h in own
            ]
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

    def _operators(self, site: Site, kind: str) -> Iterator[Choice]:
        was = type(site.node).__name__ if site.category == kind else ""
        for operator in _OPERATORS[kind]:
            name = operator.__name__
            if name != was:
                value = f"{was}>{name}"
                features = {f"op.{kind}.word": self._frequency("op", kind, value)}
                yield Choice(operator(), features)

    def _expressions(self, site: Site, _: str) -> Iterator[Choice]:
        donors = self._program.donors.get(site.function_path, [])
        visible = self._program.scopes.visible(site.path)
        bound = {name for name, known in visible.items() if known.kind != "builtin"}
        inside = {form(n) for _, n in walk(site.node)} if site.node is not None else set()
        line = site.line
        near = sorted(donors, key=lambda node: abs(getattr(node, "lineno", line) - line))
        for node in near[:MOST_EXPRESSIONS]:
            if form(node) not in inside and _free(node) <= bound | _BUILTIN_NAMES:
                yield Choice(node, {"expr.size": float(size(node)), f"expr.{type(node).__name__}": 1.0})

    def _parts(self, site: Site, kind: str) -> Iterator[Choice]:
        if site.node is None:
            return
        seen = {form(site.node)}
        for path, node in walk(site.node):
            if category(node) == kind and form(node) not in seen:
                seen.add(form(node))
                yield Choice(
                    node,
                    {"sub.depth": float(len(path)), "sub.size": log(size(node))},
                )

    def _frequent(self, kind: str) -> list[tuple[str, int]]:
        if kind not in self._frequent_words:
            found = [(value, n) for (k, _, value), n in self._words.items() if k == kind]
            found.sort(key=lambda item: (-item[1], item[0]))
            self._frequent_words[kind] = found[:MOST_WORDS]
        return self._frequent_words[kind]

    def _frequency(self, kind: str, type_name: str, value: str) -> float:
        return log(1 + self._words.get((kind, type_name, value), 0))


def _members(site: Site) -> list[str]:
    """Return the names of the module whose attribute a place reads; none for other things."""
    value = site.node.value if isinstance(site.node, ast.Attribute) else None
    if isinstance(value, ast.Name) and value.id in _PURE_MODULES:
        return [name for name in dir(importlib.import_module(value.id)) if name[0] != "_"]
    return []


def _likeness(word: str, other: str) -> float:
    return SequenceMatcher(None, word, other).ratio()


def _parameters(call: ast.AST | None) -> list[str]:
    """Return the parameters of the built-in that a call calls, that can be given by name."""
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        return []
    try:
        signature = inspect.signature(getattr(builtins, call.func.id))
    except (AttributeError, TypeError, ValueError):
        return []
    named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in signature.parameters.values() if p.kind in named]


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


_BUILTIN_NAMES = frozenset(dir(builtins))


def _loads(node: ast.AST | None) -> frozenset[str]:
    if node is None:
        return frozenset()
    return frozenset(n.id for _, n in walk(node) if isinstance(n, ast.Name))


def _name_features(known: Known, site: Site, near: frozenset[str]) -> Features:
    features = {f"name.{known.kind}": 1.0}
    if known.name in near:
        features["name.near"] = 1.0
    if known.reads == 0 and known.kind in ("param", "local", "loop"):
        features["name.unused"] = 1.0
    if known.kind in ("local", "loop") and known.line > site.line:
        features["name.later"] = 1.0
    features["name.distance"] = -log(1 + abs(known.line - site.line))
    return features


def _same_constant(value: object, old: object) -> bool:
    return type(value) is type(old) and value == old


def _neighbours(old: object) -> Iterator[tuple[str, object]]:
    """Give the constants that are a small step from one."""
    if isinstance(old, bool):
        yield "other", not old
    elif isinstance(old, int):
        yield "plus", old + 1
        yield "minus", old - 1
        yield "negated", -old
    elif isinstance(old, float):
        yield "negated", -old
    elif isinstance(old, str):
        yield from (("case", made) for made in (old.lower(), old.upper(), old.capitalize()))
        yield from (("cut", made) for made in (old[1:], old[:-1], old.strip()))
        if 1 < len(old) <= 4:
            yield "cut", old[::-1]


def _free(node: ast.AST) -> set[str]:
    own = {n.id for _, n in walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return {n.id for _, n in walk(node) if isinstance(n, ast.Name)} - own
