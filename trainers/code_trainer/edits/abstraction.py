"""From edits to patterns: what is kept of an edit, what is left open, on three levels."""

import ast
import json
from dataclasses import dataclass, field, replace

from trainers.code_trainer.edits import template
from trainers.code_trainer.edits.diff import Change, Edit, changes, lifted
from trainers.code_trainer.edits.particulars import (
    BUILTINS,
    CONSTANTS,
    LISTS,
    METHODS,
    bound_inside,
    is_bindable,
    is_small,
    is_swap,
    names_of,
    uses,
    where,
)
from trainers.code_trainer.edits.pattern import BODY, Pattern
from trainers.code_trainer.edits.template import Hole, Literal, Tree, Value, category
from trainers.code_trainer.edits.tree import OPERATORS, Path, children, fields, form, size, walk

LEVELS = (0, 1, 2, 3)
MAX_NODES = 30
"""Nodes of either side of an edit that can become a pattern, what both share not counted."""

MAX_MADE = 7
"""Nodes of a new expression that becomes a template of its own on the most open level."""

MAX_WEIGHT = 14
"""Nodes and holes of what a pattern puts in place."""


@dataclass(frozen=True)
class Mined:
    """A pattern that an edit is an instance of, and what filled its slots.

    ``fillings``: (slot kind, type, value) for slots whose value is a word: built-ins, attributes,
    constants, operators. ``context``: the parent's type and field.
    """

    pattern: Pattern
    context: str
    node: str
    function: str
    path: Path
    fillings: tuple[tuple[str, str, str], ...] = ()


class NotAPattern(Exception):
    """The edit says nothing that could be used elsewhere, or is too large."""


def mine(before: str, after: str) -> list[Mined]:
    """Find the patterns that a change of a file is made of.

    Raises:
        SyntaxError: one of the texts is no Python of this version.
    """
    return [found for change in changes(before, after) for found in mine_change(change)]


def mine_change(change: Change) -> list[Mined]:
    """Find the patterns of one function's change; each pattern and place once."""
    found: dict[tuple[str, Path], Mined] = {}
    names = names_of(change.before)
    for edit in lifted(change):
        for level in LEVELS:
            try:
                mined = _Abstraction(edit, change, level, names).mined()
            except NotAPattern:
                continue
            found.setdefault((mined.pattern.key, mined.path), mined)
    return list(found.values())


@dataclass
class _Abstraction:
    """One edit on its way to a pattern of one level."""

    edit: Edit
    change: Change
    level: int
    local: frozenset[str]
    kept: dict[str, int] = field(default_factory=dict)
    slots: dict[tuple[str, str], int] = field(default_factory=dict)
    fillings: list[tuple[str, str, str]] = field(default_factory=list)
    own: frozenset[str] = frozenset()
    shown: set[int] = field(default_factory=set)

    def mined(self) -> Mined:
        """Return the pattern.

        Raises:
            NotAPattern: there is none.
        """
        edit = self.edit
        self._check()
        if edit.kind != "delete" and edit.new is not None:
            self.own = frozenset(bound_inside(edit.new))
        if edit.old is not None and edit.new is not None:
            self._find_kept(edit.old, edit.new)
        before, after = template.renumbered(*self._sides())
        if template.weight(after) > MAX_WEIGHT:
            raise NotAPattern("what it puts in place is too large")
        name = edit.path[-1][0]
        place = where(edit.parent, name) if edit.kind != "replace" else ""
        if place not in ("", BODY) and place not in LISTS:
            raise NotAPattern("a list whose items do not stand alone")
        pattern = Pattern(edit.kind, self.level, place, before, after)
        if edit.kind == "replace" and before == after:
            raise NotAPattern("nothing of the difference is left on this level")
        context = f"{type(edit.parent).__name__}.{name}"
        node = type(edit.old if edit.old is not None else edit.new).__name__
        return Mined(
            pattern, context, node, edit.function, edit.path, tuple(dict.fromkeys(self.fillings))
        )

    def _check(self) -> None:
        edit = self.edit
        both = (edit.old is not None, edit.new is not None)
        if not edit.path or (not edit.path[-1][0]) or not any(both):
            raise NotAPattern("the whole function")
        grown = sum(size(node) for node in (edit.old, edit.new) if node is not None)
        if all(both) and edit.old is not None and edit.new is not None:
            if category(edit.old) != category(edit.new):
                raise NotAPattern("one kind of place became another")
            grown = abs(size(edit.old) - size(edit.new))
        if grown > MAX_NODES:
            raise NotAPattern("too large")
        for node in (edit.old, edit.new):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                raise NotAPattern("a definition")

    def _sides(self) -> tuple[Value | None, Value | None]:
        edit = self.edit
        before = None
        if is_swap(edit):
            return self._swapped(edit)
        if edit.old is not None and self.level < 2:
            before = self._before(edit.old)
            self.shown = {hole.index for hole in template.holes(before) if hole.kind == "e"}
        after = None if edit.new is None else self._after(edit.new)
        if edit.old is None or before is not None:
            return before, after
        kind = category(edit.old)
        if form(edit.old) in self.kept and uses(after, self.kept[form(edit.old)]):
            return Hole("e", self.kept[form(edit.old)], kind), after
        loose = any(hole.kind == "sub" for hole in template.holes(after))
        if edit.kind == "delete" or loose:
            kind = type(edit.old).__name__
        return Hole("w", 0, kind), after

    def _swapped(self, edit: Edit) -> tuple[Value, Value]:
        """Return a pattern that says only that two parts changed places."""
        kind = type(edit.old).__name__ if self.level < 2 else category(_node(edit.old))
        return Hole("w", 0, kind), Hole("swap", 100, category(_node(edit.old)))

    def _find_kept(self, old: ast.AST, new: ast.AST) -> None:
        """Note the largest parts of the new tree that the old one has; each becomes a hole."""
        forms = {form(n) for p, n in walk(old) if is_bindable(n) and (not p or self._is_kept(n))}

        def visit(node: ast.AST) -> None:
            if is_bindable(node) and form(node) in forms:
                self.kept.setdefault(form(node), len(self.kept))
                return
            for _, child in children(node):
                visit(child)

        visit(new)

    def _is_kept(self, node: ast.AST) -> bool:
        """On the most open level single names and constants are not held to be the same ones."""
        return self.level < 3 or not isinstance(node, ast.Name | ast.Constant)

    def _before(self, node: ast.AST) -> Value:
        known = self.kept.get(form(node)) if is_bindable(node) else None
        if known is not None:
            return Hole("e", known, category(node))
        if isinstance(node, OPERATORS):
            return Tree(type(node).__name__)
        holds = any(is_bindable(n) and form(n) in self.kept for _, n in walk(node))
        if not holds and not (self.level == 0 and self._is_word(node)):
            return Hole("w", 0, type(node).__name__)
        return Tree(
            type(node).__name__,
            tuple((name, self._before_value(name, value)) for name, value in fields(node)),
        )

    def _before_value(self, name: str, value: object) -> Value:
        if isinstance(value, ast.AST):
            return self._before(value)
        if isinstance(value, list):
            return tuple(self._before_value(name, item) for item in value)
        if name == "attr" and (self.level > 0 or value not in METHODS):
            return Hole("w", 0, "str")
        return Literal(repr(value))

    def _is_word(self, node: ast.AST) -> bool:
        """Tell whether a leaf is kept literally on the most concrete level."""
        if isinstance(node, ast.Name):
            return self._is_builtin(node.id)
        return isinstance(node, ast.Constant) and is_small(node.value)

    def _is_builtin(self, name: str) -> bool:
        return name in BUILTINS and name not in self.local and name not in self.own

    def _after(self, node: ast.AST, *, whole: bool = True) -> Value:
        """Return the template of a part of the new tree; ``whole``: it may become one slot."""
        known = self.kept.get(form(node)) if is_bindable(node) else None
        if known is not None:
            root = self.edit.old
            hidden = known not in self.shown if self.level < 2 else True
            if hidden and root is not None and form(root) != form(node):
                return self._slot("sub", form(node), category(node))
            return Hole("e", known, category(node))
        if isinstance(node, OPERATORS):
            return self._operator(node)
        if isinstance(node, ast.JoinedStr):
            raise NotAPattern("a formatted text")
        if self.level == 3 and whole and isinstance(node, ast.expr) and self._is_new(node):
            return self._made(node)
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.Constant):
            return self._constant(node)
        if self.level > 0 and isinstance(node, ast.expr) and self._is_donor(node):
            return self._slot("expr", form(node))
        return Tree(
            type(node).__name__,
            tuple((name, self._after_value(node, name, value)) for name, value in fields(node)),
        )

    def _after_value(self, node: ast.AST, name: str, value: object) -> Value:
        if isinstance(value, ast.AST):
            if name == "func" or isinstance(node, ast.Expr):
                return self._after(value, whole=False)
            return self._after(value)
        if isinstance(value, list):
            return tuple(self._after_value(node, name, item) for item in value)
        if name == "attr" and isinstance(node, ast.Attribute) and isinstance(value, str):
            if self.level == 0 and value in METHODS:
                return Literal(repr(value))
            self.fillings.append(("attr", "", value))
            return self._slot("attr", value)
        if self.level == 3 and isinstance(node, ast.keyword) and isinstance(value, str):
            self.fillings.append(("kwarg", "", value))
            return self._slot("kwarg", value)
        return Literal(repr(value))

    def _is_new(self, node: ast.expr) -> bool:
        """Tell whether all of an expression is new, and can be read anywhere."""
        if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
            return False
        if isinstance(node, ast.Name) and (self._is_builtin(node.id) or node.id in self.own):
            return False
        leaf = isinstance(node, ast.Name | ast.Constant)
        if leaf and (node is self.edit.new or getattr(node, "value", 0) is None):
            return False
        if isinstance(node, ast.Lambda | ast.Starred) or size(node) > MAX_MADE:
            return False
        return not any(is_bindable(n) and form(n) in self.kept for _, n in walk(node))

    def _made(self, node: ast.expr) -> Value:
        """Return the slot of a new expression; its own template is what fills it."""
        if isinstance(node, ast.Name | ast.Constant):
            return self._slot("made", form(node), "leaf")
        kind = type(node).__name__
        inner = replace(self, level=1, slots={}, fillings=[], kept={})
        made = template.renumbered(None, inner._inside(node))[1]
        if made is not None:
            text = json.dumps(template.to_json(made), separators=(",", ":"))
            self.fillings.append(("made", kind, text))
        self.fillings += inner.fillings
        return self._slot("made", form(node), kind)

    def _inside(self, node: ast.AST) -> Value:
        """Return the template of a new expression, without looking for it elsewhere."""
        return Tree(
            type(node).__name__,
            tuple((name, self._after_value(node, name, value)) for name, value in fields(node)),
        )

    def _operator(self, node: ast.AST) -> Value:
        name = type(node).__name__
        if self.level < 2:
            return Tree(name)
        old = self.edit.old
        was = type(old).__name__ if isinstance(old, OPERATORS) else ""
        self.fillings.append(("op", category(node), f"{was}>{name}"))
        return self._slot("op", name, category(node))

    def _name(self, node: ast.Name) -> Value:
        if node.id in self.own:
            return Tree("Name", (("id", Literal(repr(node.id))),))
        if self._is_builtin(node.id):
            self.fillings.append(("builtin", "", node.id))
            if self.level < 2:
                return Tree("Name", (("id", Literal(repr(node.id))),))
            return self._slot("builtin", node.id)
        if isinstance(node.ctx, ast.Store) and node.id not in self.local:
            raise NotAPattern("it makes a new variable")
        return self._slot("name", node.id)

    def _constant(self, node: ast.Constant) -> Value:
        kind = CONSTANTS.get(type(node.value))
        if node.value is None or (self.level == 0 and is_small(node.value)):
            return Tree("Constant", (("value", Literal(repr(node.value))),))
        if kind is None:
            raise NotAPattern("a constant of a rare type")
        self.fillings.append(("const", kind, repr(node.value)))
        return self._slot("const", repr(node.value), kind)

    def _is_donor(self, node: ast.AST) -> bool:
        """Tell whether an expression stands elsewhere in the old function."""
        return 3 <= size(node) <= 12 and form(node) in form(self.change.before)

    def _slot(self, kind: str, value: str, type_name: str = "") -> Hole:
        # Slots and kept parts share one numbering: both are filled into one template.
        index = self.slots.setdefault((kind, value), 100 + len(self.slots))
        return Hole(kind, index, type_name)


def _node(node: ast.AST | None) -> ast.AST:
    if node is None:
        raise NotAPattern("there is nothing before it")
    return node
