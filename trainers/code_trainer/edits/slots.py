"""What can fill a slot of a pattern at a place of a program, and what speaks for each choice.

Sources: names in scope, constants of the function and neighbours of the replaced one, small
constants, words of the issue, built-ins and methods that fixes put in, expressions of the same
function, parts of what is replaced.
"""

import ast
import builtins
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from difflib import SequenceMatcher
from math import log
from typing import Any, cast

from trainers.code_trainer.edits.choice import Choice, Features, Words
from trainers.code_trainer.edits.new_expressions import NewExpressions, swapped
from trainers.code_trainer.edits.program import Program, Site
from trainers.code_trainer.edits.scope import Known
from trainers.code_trainer.edits.template import Hole, category
from trainers.code_trainer.edits.tree import Path, form, size, walk
from trainers.code_trainer.edits.types import alike, type_of
from trainers.code_trainer.edits.vocabulary import (
    OPERATOR_CHOICES,
    PLAIN_BUILTINS,
    PLAIN_METHODS,
    SMALL,
    members,
    parameters,
)

MOST_NAMES, MOST_WORDS, MOST_EXPRESSIONS = 16, 40, 24
_BUILTIN_NAMES = frozenset(dir(builtins))


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
        self._read: dict[Path, tuple[list[object], Counter[str]]] = {}
        self._new = NewExpressions(words, self._plain, self.choices)
        self._frequent_words: dict[str, list[tuple[str, int]]] = {}
        self._kinds = {
            "name": self._names,
            "const": self._constants,
            "builtin": self._builtins,
            "attr": self._attributes,
            "op": self._operators,
            "expr": self._expressions,
            "sub": self._parts,
            "made": self._new.of,
            "swap": lambda site, _: swapped(site),
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

    def _plain(self, site: Site, hole: Hole) -> Iterator[Choice]:
        """Give the choices without what depends on how many there are."""
        return self._kinds[hole.kind](site, hole.type)

    def _found(self, site: Site, hole: Hole) -> list[Choice]:
        found = list(self._plain(site, hole))
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
        bound.sort(
            key=lambda n: (n.kind in ("function", "import", "global"), abs(n.line - site.line))
        )
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
            features = {
                f"const.{kind}.{label}": 1.0,
                "const.word": self._frequency("const", kind, text),
            }
            yield Choice(ast.Constant(cast(Any, value)), features)

    def _constant_values(self, site: Site, kind: str, old: object) -> Iterator[tuple[str, object]]:
        if type(old).__name__ == kind:
            yield from _neighbours(old)
        yield from (("function", value) for value in self._of_function(site)[0])
        yield from (("small", value) for value in SMALL.get(kind, ()))
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
        own = self._of_function(site)[1]
        replaced = site.node.attr if isinstance(site.node, ast.Attribute) else ""
        known = members(site)
        words = [*known, *own, *(w for w, _ in self._frequent("attr")), *PLAIN_METHODS]
        for word in dict.fromkeys(words):
            if word != replaced:
                features = {"attr.word": self._frequency("attr", "", word)}
                features["attr.function"] = float(word in own)
                features["attr.member"] = float(word in known)
                features["attr.method"] = float(word in PLAIN_METHODS)
                features["attr.like"] = _likeness(word, replaced) if replaced else 0.0
                yield Choice(word, features)

    def _of_function(self, site: Site) -> tuple[list[object], Counter[str]]:
        """The constants and the attributes of the function around a place; read once."""
        if site.function_path not in self._read:
            constants: list[object] = []
            attributes = Counter[str]()
            for _, node in walk(self._program.function_node(site)):
                if isinstance(node, ast.Constant) and len(repr(node.value)) < 60:
                    constants.append(node.value)
                elif isinstance(node, ast.Attribute):
                    attributes[node.attr] += 1
            self._read[site.function_path] = (constants, attributes)
        return self._read[site.function_path]

    def _keywords(self, site: Site, _: str) -> Iterator[Choice]:
        call = site.parent if isinstance(site.parent, ast.Call) else site.node
        given = {k.arg for k in call.keywords} if isinstance(call, ast.Call) else set()
        for word in parameters(call):
            if word not in given:
                yield Choice(word, {"kwarg.parameter": 1.0})

    def _operators(self, site: Site, kind: str) -> Iterator[Choice]:
        was = type(site.node).__name__ if site.category == kind else ""
        for operator in OPERATOR_CHOICES[kind]:
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
                yield Choice(
                    node, {"expr.size": float(size(node)), f"expr.{type(node).__name__}": 1.0}
                )

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


def _likeness(word: str, other: str) -> float:
    return SequenceMatcher(None, word, other).ratio()


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
