"""Where in a file an edit is: a qualified name and the index of a statement in it.

``Class.method:3`` is the third statement, in source order with nested blocks, of that method;
``:0`` is what comes before the first: header, decorators, or the top of a file. ``<module>`` holds
what is in no function and no class. Line numbers would say less: they mean nothing in another file.
"""

import ast
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from trainers.code_trainer.regions import split_lines
from trainers.tasks.python_source import parse

MODULE = "<module>"
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Scope:
    """A function, a class or the module: lines ``first`` to ``last`` (from 0, ``last`` excluded).

    ``column`` is the indentation of its body; ``statements`` are the (first, last) lines of its own
    statements in source order, those of nested functions and classes left out but for the whole.
    """

    name: str
    first: int
    last: int
    column: int
    statements: tuple[tuple[int, int], ...]

    def index(self, line: int) -> int:
        """The last statement, from 1, that starts at or before a line; 0 where none does."""
        return bisect_right([first for first, _ in self.statements], line)


class Locations:
    """The locations of one text; one that does not parse has only ``<module>:0``."""

    def __init__(self, text: str) -> None:
        self._lines = split_lines(text)
        try:
            tree: ast.AST = parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            tree = ast.Module([], [])
        own, nested = _walk(tree, "")
        module = Scope(MODULE, 0, len(self._lines), 0, tuple(own))
        self.scopes: dict[str, Scope] = {}
        for scope in [module, *nested]:  # a name defined twice: the last one counts, as it runs
            self.scopes[scope.name] = scope

    def all(self) -> list[str]:
        """Every location of the text."""
        return [
            f"{name}:{index}"
            for name, scope in self.scopes.items()
            for index in range(len(scope.statements) + 1)
        ]

    def at(self, line: int, column: int | None = None) -> str:
        """The location of a line.

        Args:
            line: from 0.
            column: of an insertion before the line, its indentation: which of the scopes that end
                here it belongs to. None: the line itself is meant.
        """
        if column is None:
            scope = self._innermost(line, None)
            return f"{scope.name}:{scope.index(line)}"
        before = line - 1
        while before > 0 and not self._lines[before].strip():
            before -= 1
        scope = self._innermost(before, column) if before >= 0 else self.scopes[MODULE]
        return f"{scope.name}:{scope.index(before)}"

    def lines(self, location: str) -> tuple[int, int] | None:
        """First line and the line after the last one of a location; None where it is not here."""
        name, _, number = location.rpartition(":")
        scope = self.scopes.get(name)
        if scope is None or not number.isdecimal() or int(number) > len(scope.statements):
            return None
        if int(number):
            return scope.statements[int(number) - 1]
        until = scope.statements[0][0] if scope.statements else scope.last
        return scope.first, max(until, min(scope.first + 1, scope.last))

    def _innermost(self, line: int, column: int | None) -> Scope:
        around = [
            scope
            for scope in self.scopes.values()
            if scope.first <= line < scope.last and (column is None or scope.column <= column)
        ]
        return max(around, key=lambda s: (s.first, s.column), default=self.scopes[MODULE])


def _walk(node: ast.AST, prefix: str) -> tuple[list[tuple[int, int]], list[Scope]]:
    """The statements of a scope, and the scopes nested in it."""
    own: list[tuple[int, int]] = []
    nested: list[Scope] = []
    for statement in _statements(node):
        first = _first(statement)
        last = statement.end_lineno or statement.lineno
        own.append((first, last))
        if isinstance(statement, _SCOPES):
            name = f"{prefix}{statement.name}"
            inner, deeper = _walk(statement, f"{name}.")
            column = statement.body[0].col_offset
            nested.append(Scope(name, first, last, column, tuple(inner)))
            nested.extend(deeper)
    return own, nested


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Statements below a node in source order, without those of nested functions and classes."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
            if not isinstance(child, _SCOPES):
                yield from _statements(child)
        elif not isinstance(child, ast.expr):  # handlers and cases hold statements too
            yield from _statements(child)


def _first(statement: ast.stmt) -> int:
    """First line from 0, decorators included."""
    decorators = getattr(statement, "decorator_list", None) or [statement]
    lines: list[int] = [node.lineno for node in decorators]
    return min(statement.lineno, *lines) - 1
