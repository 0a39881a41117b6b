"""Syntax trees by path: normal forms, sizes, walks, and copies with one place changed."""

import ast
from collections.abc import Callable, Iterator
from copy import copy

Step = tuple[str, int | None]
"""A field of a node, and the place in it where the field is a list."""

Path = tuple[Step, ...]
"""The way from a root to a node."""

_KEPT = ("_form", "_size", "_names")
_SKIPPED = frozenset({"ctx", "type_comment", "kind", "type_ignores"})
OPERATORS = (ast.operator, ast.cmpop, ast.boolop, ast.unaryop)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SCOPES = (*FUNCTIONS, ast.ClassDef)


def form(node: ast.AST) -> str:
    """Return the normal form: equal for trees that mean the same text, wherever they stand.

    Whether a name is loaded or stored is no part of it. It is kept on the node, so a tree must not
    be changed in place after.
    """
    known = node.__dict__.get("_form")
    if known is not None:
        return str(known)
    parts = [f"{name}={_value_form(value)}" for name, value in fields(node)]
    text = f"{type(node).__name__}({','.join(parts)})"
    node.__dict__["_form"] = text
    return text


def _value_form(value: object) -> str:
    if isinstance(value, ast.AST):
        return form(value)
    if isinstance(value, list):
        return f"[{','.join(_value_form(item) for item in value)}]"
    return f"{type(value).__name__}:{value!r}"


def fields(node: ast.AST) -> Iterator[tuple[str, object]]:
    """Give a node's fields by name, without those that say nothing of its meaning."""
    for name in node._fields:
        if name not in _SKIPPED:
            yield name, getattr(node, name, None)


def children(node: ast.AST) -> Iterator[tuple[Step, ast.AST]]:
    """Give the nodes right below a node, with the step that leads to each."""
    for name, value in fields(node):
        if isinstance(value, ast.AST):
            yield (name, None), value
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield (name, index), item


def walk(node: ast.AST, path: Path = ()) -> Iterator[tuple[Path, ast.AST]]:
    """Give a node and all below it, parents first, in the order of the source."""
    yield path, node
    for step, child in children(node):
        yield from walk(child, (*path, step))


def size(node: ast.AST) -> int:
    """Count the nodes of a tree, operators included."""
    known = node.__dict__.get("_size")
    if known is None:
        known = 1 + sum(size(child) for _, child in children(node))
        node.__dict__["_size"] = known
    return int(known)


def at(root: ast.AST, path: Path) -> ast.AST:
    """Return the node that a path leads to.

    Raises:
        LookupError: the path leads nowhere.
    """
    node: object = root
    for name, index in path:
        node = getattr(node, name, None)
        if index is not None:
            node = node[index] if isinstance(node, list) else None
    if not isinstance(node, ast.AST):
        raise LookupError(f"no node at {path}")
    return node


def bare(node: ast.AST) -> ast.AST:
    """Return a shallow copy without what ``form``, ``size`` and ``liveness`` keep on a node."""
    twin = copy(node)
    for kept in _KEPT:
        twin.__dict__.pop(kept, None)
    return twin


def put(root: ast.AST, path: Path, node: ast.AST) -> ast.AST:
    """Return a tree with one node replaced; see :func:`changed`."""
    return changed(root, path, lambda _: node)


def changed(root: ast.AST, path: Path, change: Callable[[ast.AST], ast.AST]) -> ast.AST:
    """Return a tree with one node changed; all that is not on the path is shared with ``root``."""
    if not path:
        return change(root)
    (name, index), rest = path[0], path[1:]
    twin = bare(root)
    value = getattr(root, name)
    if index is None:
        setattr(twin, name, changed(value, rest, change))
    else:
        items = list(value)
        items[index] = changed(items[index], rest, change)
        setattr(twin, name, items)
    return twin


def spliced(node: ast.AST, field: str, start: int, stop: int, items: list[ast.AST]) -> ast.AST:
    """Return a copy of a node with the items from ``start`` to ``stop`` of a list field changed."""
    twin = bare(node)
    value = list(getattr(node, field))
    value[start:stop] = items
    setattr(twin, field, value)
    return twin


def first_line(node: ast.stmt) -> int:
    """The line on which a statement starts, its decorators included; from 1."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(one.lineno for one in decorators)])


def is_docstring(node: ast.AST) -> bool:
    """Tell whether a statement is only a text."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
