"""Cuts a program out of a module: some functions, and all of the module that they need.

What is kept stands as it is written, comments included, in its order. A name that a ``def`` or a
``class`` binds is taken from there, not from the C version that a later ``import`` puts over it.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from trainers.errors import TaskError
from trainers.tasks.python_source import parse

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class _Statement:
    """A statement of the module's body: the names that it binds or changes, those that it reads."""

    node: ast.stmt
    binds: frozenset[str]
    reads: frozenset[str]


def cut(source: str, names: Iterable[str], package: str = "") -> str:
    """Cut the program that defines ``names`` out of a module's ``source``.

    Args:
        source: the module's text.
        names: functions, classes or other names of the module.
        package: the module's package, for relative imports, which become absolute.

    Raises:
        TaskError: the module is no Python or does not bind a name.
    """
    try:
        tree = parse(source)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise TaskError(f"a module cannot be parsed: {error}") from error
    statements = [_statement(node) for node in tree.body]
    defined = {s.node.name for s in statements if isinstance(s.node, _DEFINITIONS)}
    wanted, bound = list(names), {name for s in statements for name in s.binds}
    missing = [name for name in wanted if name not in bound]
    if missing:
        raise TaskError(f"the module does not define {', '.join(missing)}")
    kept = _closure(statements, defined, wanted)
    lines = source.splitlines(keepends=True)
    texts = [_text(one.node, lines, package) for one in statements if one in kept]
    return "\n\n".join(text.strip("\n") for text in texts) + "\n"


def _closure(statements: list[_Statement], defined: set[str], wanted: list[str]) -> set[_Statement]:
    kept: set[_Statement] = set()
    known: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in known:
            continue
        known.add(name)
        for one in statements:
            hidden = name in defined and not isinstance(one.node, _DEFINITIONS) and _imports(one)
            if name in one.binds and one not in kept and not hidden:
                kept.add(one)
                wanted += one.reads
    return kept


def _imports(one: _Statement) -> bool:
    """Tell whether a statement is there to import: ``import``, or ``try: import``."""
    return any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(one.node))


def _statement(node: ast.stmt) -> _Statement:
    if isinstance(node, _DEFINITIONS):
        return _Statement(node, frozenset({node.name}), _reads(node))
    return _Statement(node, frozenset(_binds(node)), _reads(node))


def _reads(node: ast.AST) -> frozenset[str]:
    return frozenset(part.id for part in ast.walk(node) if isinstance(part, ast.Name))


def _binds(node: ast.AST) -> set[str]:
    """Give the module's names that a statement binds, or whose objects it changes."""
    if isinstance(node, _DEFINITIONS):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Store | ast.Del) else set()
    if isinstance(node, ast.Attribute | ast.Subscript):
        return _root(node) if isinstance(node.ctx, ast.Store | ast.Del) else set()
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return _root(node.value.func) if isinstance(node.value.func, ast.Attribute) else set()
    return {name for child in ast.iter_child_nodes(node) for name in _binds(child)}


def _root(node: ast.expr) -> set[str]:
    """Give the name at the left of ``a.b[c].d``."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def _text(node: ast.stmt, lines: list[str], package: str) -> str:
    if isinstance(node, ast.ImportFrom) and node.level:
        parts = package.split(".")[: len(package.split(".")) - node.level + 1]
        module = ".".join([*parts, *([node.module] if node.module else [])])
        return ast.unparse(ast.ImportFrom(module, node.names, 0))
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    while first > 1 and lines[first - 2].startswith("#"):  # its comment
        first -= 1
    return "".join(lines[first - 1 : node.end_lineno])
