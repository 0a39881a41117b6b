"""A sound function that gets bugs: its text, lexemes, syntax tree, and the names that it binds."""

import ast
from collections.abc import Callable, Iterator
from functools import cached_property
from random import Random
from typing import Any

from trainers.ctm.data.program import Program
from trainers.tasks.python_source import parse
from trainers.tasks.swe.injected.edits import Piece, Text

Change = tuple[Piece, ...]
"""Pieces of text that are replaced together; they do not overlap."""

Rewrite = Callable[[Any, "Function", Random], Iterator[Change]]
"""Looks at one node and gives the changes that put a bug there."""


class Function:
    """A function definition as a program of its own.

    Raises:
        SyntaxError: it does not parse.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        self.tree = parse(code)
        self.text = Text(code)

    @cached_property
    def program(self) -> Program:
        """Its lexemes."""
        return Program.of(self.code)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All nodes but those of docstrings and in f-strings, which have no true positions."""
        found: list[ast.AST] = []
        waiting: list[ast.AST] = [self.tree]
        while waiting:
            parent = waiting.pop()
            for child in ast.iter_child_nodes(parent):
                child.parent = parent  # type: ignore[attr-defined]
                if isinstance(child, ast.JoinedStr) or is_docstring(child):
                    continue
                found.append(child)
                waiting.append(child)
        return found

    @cached_property
    def bound(self) -> dict[str, int]:
        """The line that first binds each local name (parameters: that of their definition)."""
        found: dict[str, int] = {}
        for node in self.nodes:
            name = None
            if isinstance(node, ast.arg):
                name = node.arg
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                name = node.id
            if name is not None:
                line: int = node.lineno  # type: ignore[attr-defined]
                found[name] = min(found.get(name, line), line)
        return found

    @cached_property
    def called(self) -> list[str]:
        """The plain names that it calls, in order of the alphabet."""
        calls = (node.func for node in self.nodes if isinstance(node, ast.Call))
        return sorted({func.id for func in calls if isinstance(func, ast.Name)})

    @cached_property
    def attributes(self) -> list[str]:
        """The attribute names in it, in order of the alphabet."""
        return sorted({node.attr for node in self.nodes if isinstance(node, ast.Attribute)})

    @cached_property
    def strings(self) -> list[str]:
        """The short string literals in it, as written."""
        texts = (
            self.text.of(node)
            for node in self.nodes
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )
        return sorted({text for text in texts if len(text) < 20 and "\n" not in text})

    def others(self, node: ast.Name) -> list[str]:
        """The local names that could stand for a name: bound on an earlier line, or parameters."""
        first = self.tree.body[0].lineno
        return sorted(
            name
            for name, line in self.bound.items()
            if name not in (node.id, "self", "cls") and (line < node.lineno or line == first)
        )

    def changed(self, change: Change) -> str:
        """The text with the pieces of a change."""
        code = self.text.code
        for start, end, text in sorted(change, reverse=True):
            code = code[:start] + text.encode() + code[end:]
        return code.decode()


def is_docstring(node: ast.AST) -> bool:
    """Tell whether a node is a statement that is only a constant."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def parent_of(node: ast.AST) -> ast.AST:
    """The node that a node is in; ``Function.nodes`` must have been looked at before."""
    return node.parent  # type: ignore[attr-defined,no-any-return]


def called_name(node: ast.Call) -> str:
    """The last name of what is called; "" where it has none."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def blocks_of(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """The blocks of statements of a node."""
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
            yield block
