"""A program's normal form: two that differ in names, comments or layout alone have the same."""

import ast
import copy
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from trainers.critic.syntax import parse


@dataclass(frozen=True)
class Normal:
    """``text`` is the normal form, ``tree`` the program as it was parsed, None where it does not.

    Equal texts mean programs that do the same, but for those that look at their own names
    (``locals()``, keyword arguments of a call from outside).
    """

    text: str
    tree: ast.Module | None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the text, 64 hexadecimal digits."""
        return hashlib.sha256(self.text.encode("utf-8", "replace")).hexdigest()


def normalise(code: str, entry_point: str) -> Normal:
    """Bring a program to its normal form.

    Comments, docstrings, annotations and layout go; what the program itself binds is renamed in
    order of appearance, all but ``entry_point``. One that does not parse is its own lines without
    surrounding space.
    """
    tree = parse(code)
    if tree is None:
        return Normal("\n".join(line.strip() for line in code.splitlines() if line.strip()), None)
    try:
        plain = _Plain().visit(copy.deepcopy(tree))
        names = {name: f"v{i}" for i, name in enumerate(_bound_names(plain, entry_point))}
        return Normal(ast.unparse(_Renamed(names).visit(plain)), tree)
    except (RecursionError, ValueError):  # too deep, or a number of too many digits
        return Normal(code.strip(), tree)


class _Plain(ast.NodeTransformer):
    """Drops what says nothing to the interpreter: docstrings and annotations."""

    def visit(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [s for s in body if not _is_text(s)] or [ast.Pass()]  # type: ignore[attr-defined]
        return node


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _bound_names(tree: ast.AST, entry_point: str) -> list[str]:
    return [name for name in dict.fromkeys(_bindings(tree)) if name != entry_point]


def _bindings(tree: ast.AST) -> Iterator[str]:
    """Names that the program binds itself, in order of appearance; imports keep theirs."""
    for node in _in_order(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _in_order(child)


class _Renamed(ast.NodeTransformer):
    """Renames by a table; an attribute is another object's and keeps its name."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def visit(self, node: ast.AST) -> ast.AST:
        for field in ("id", "arg", "name"):
            name = getattr(node, field, None)
            if isinstance(name, str) and name in self._names:
                setattr(node, field, self._names[name])
        if isinstance(node, ast.Global | ast.Nonlocal):
            node.names = [self._names.get(name, name) for name in node.names]
        return self.generic_visit(node)
