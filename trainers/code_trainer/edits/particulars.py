"""What edits and their parts are: built-ins, small constants, swaps, names bound inside."""

import ast
import builtins
from collections.abc import Iterable

from trainers.code_trainer.edits import template
from trainers.code_trainer.edits.diff import Edit, edits_between
from trainers.code_trainer.edits.pattern import BODY
from trainers.code_trainer.edits.template import Value
from trainers.code_trainer.edits.tree import form, size, walk

BUILTINS = frozenset(name for name in dir(builtins) if name[0] != "_" and name[0].islower())
METHODS = frozenset(
    name for kind in (str, list, dict, set, int) for name in dir(kind) if name[0] != "_"
)
SMALL: frozenset[str] = frozenset(map(repr, (0, 1, 2, -1, 10, 0.0, 1.0, 0.5, "", " ", True, False)))
CONSTANTS = {bool: "bool", int: "int", float: "float", str: "str"}
LISTS = frozenset(
    [
        "Call.args",
        "Call.keywords",
        "BoolOp.values",
        "List.elts",
        "Tuple.elts",
        "Set.elts",
        "comprehension.ifs",
    ]
)


def names_of(function: ast.AST) -> frozenset[str]:
    """Return the names that a function binds itself."""
    found = set()
    for _, node in walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
    return frozenset(found)


def where(parent: ast.AST, name: str) -> str:
    """Name a list of nodes, as patterns do."""
    value = getattr(parent, name, None)
    if name in ("body", "orelse", "finalbody") and isinstance(value, list):
        return BODY
    return f"{type(parent).__name__}.{name}"


def is_swap(edit: Edit) -> bool:
    """Tell whether two parts of a node changed places and nothing else did."""
    if edit.old is None or edit.new is None or type(edit.old) is not type(edit.new):
        return False
    if size(edit.old) != size(edit.new) or not isinstance(edit.old, ast.expr | ast.stmt):
        return False
    parts = edits_between(edit.old, edit.new)
    sides = [
        (form(part.old), form(part.new))
        for part in parts
        if part.old is not None and part.new is not None
    ]
    return len(parts) == len(sides) == 2 and sides[0] == sides[1][::-1]


def uses(after: Value | None, index: int) -> bool:
    """Tell whether a template puts in place what one of its holes was bound to."""
    return any(hole.kind == "e" and hole.index == index for hole in template.holes(after))


def is_bindable(node: ast.AST) -> bool:
    """Tell whether a node can be kept as a whole."""
    return isinstance(node, ast.expr | ast.stmt | ast.keyword | ast.comprehension)


def is_small(value: object) -> bool:
    """Tell whether a constant is one that many programs have."""
    return value is None or repr(value) in SMALL


def bound_inside(new: ast.AST) -> Iterable[str]:
    """Names that comprehensions and lambdas inside a tree bind."""
    for _, node in walk(new):
        if isinstance(node, ast.comprehension):
            yield from (n.id for _, n in walk(node.target) if isinstance(n, ast.Name))
        elif isinstance(node, ast.Lambda):
            yield from (n.arg for _, n in walk(node.args) if isinstance(n, ast.arg))
