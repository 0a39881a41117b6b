"""The roots of a Python program: its statements and blocks with their exact source spans."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["statement", "block", "header", "tail"]

_BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Root:
    """A part of a program that can be rendered again: ``code[start:end]``.

    ``start`` is behind the indentation of its first line, whose width is ``indent``; ``first`` and
    ``last`` are its lines from 1. A ``header`` is the line of a block without its body, a ``tail``
    what does not parse.
    """

    start: int
    end: int
    first: int
    last: int
    indent: int
    kind: Kind

    @property
    def lines(self) -> range:
        """The lines that it stands on."""
        return range(self.first, self.last + 1)


def roots_of(code: str) -> list[Root]:
    """All roots of a program, in the order of the source; docstrings and imports are none.

    Of a program that does not parse the longest prefix of lines that does is kept, and the rest is
    the one root.
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [_tail(code)]
    starts = _line_starts(code)
    return [root for node in _functions(tree) for root in _body(node.body, code, starts)]


def function_end(code: str, root: Root) -> int:
    """Where the function around a root ends; the program's end where it stands in none."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return len(code)
    starts = _line_starts(code)
    for node in ast.walk(tree):
        if isinstance(node, _FUNCTIONS) and node.lineno <= root.first <= (node.end_lineno or 0):
            return _offset(code, starts, node.end_lineno or 0, node.end_col_offset or 0)
    return len(code)


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions of a program, of classes too, but not those inside of another function."""
    open_: list[ast.AST] = [tree]
    while open_:
        node = open_.pop(0)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, _FUNCTIONS):
                yield child
            elif isinstance(child, ast.ClassDef):
                open_.append(child)


def _body(body: list[ast.stmt], code: str, starts: list[int]) -> Iterator[Root]:
    for place, node in enumerate(body):
        if isinstance(node, ast.Import | ast.ImportFrom) or (place == 0 and _is_text(node)):
            continue
        start = _offset(code, starts, node.lineno, node.col_offset)
        end = _offset(code, starts, node.end_lineno or node.lineno, node.end_col_offset or 0)
        inner = _inner(node)
        kind: Kind = "block" if inner else "statement"
        yield Root(start, end, node.lineno, node.end_lineno or node.lineno, node.col_offset, kind)
        if inner:
            yield from _header(node, inner[0], code, starts, start)
            for part in inner:
                yield from _body(part, code, starts)


def _header(
    node: ast.stmt, first: list[ast.stmt], code: str, starts: list[int], start: int
) -> Iterator[Root]:
    """The first line of a block up to its colon, where the body stands on lines of its own."""
    if not isinstance(node, _BLOCKS) or not first or first[0].lineno <= node.lineno:
        return
    last = first[0].lineno - 1
    end = starts[last] - 1 if last < len(starts) else len(code)
    while last > node.lineno and not code[starts[last - 1] : end].strip():
        last -= 1  # lines without code between the header and its body
        end = starts[last] - 1
    yield Root(start, end, node.lineno, last, node.col_offset, "header")


def _inner(node: ast.stmt) -> list[list[ast.stmt]]:
    """The lists of statements inside of a compound statement."""
    if isinstance(node, ast.Match):
        return [case.body for case in node.cases]
    parts = [getattr(node, name, None) for name in ("body", "orelse", "finalbody")]
    parts += [handler.body for handler in getattr(node, "handlers", ())]
    return [part for part in parts if isinstance(part, list) and part]


def _tail(code: str) -> Root:
    lines = code.splitlines(keepends=True)
    kept = next((n for n in range(len(lines) - 1, 0, -1) if _parses("".join(lines[:n]))), 0)
    start = sum(map(len, lines[:kept]))
    rest = code[start:]
    indent = len(rest) - len(rest.lstrip(" "))
    return Root(start + indent, len(code), kept + 1, max(len(lines), kept + 1), indent, "tail")


def _parses(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _line_starts(code: str) -> list[int]:
    """The offsets at which lines start as ``ast`` counts lines."""
    starts = [0]
    for line in code.splitlines(keepends=True):
        # ast breaks lines at \n, \r and \r\n only; str.splitlines at more.
        starts.append(starts[-1] + len(line))
    return starts[:-1] or [0]


def _offset(code: str, starts: list[int], line: int, column: int) -> int:
    """An offset in characters of a line and of a column in bytes."""
    start = starts[line - 1]
    end = starts[line] if line < len(starts) else len(code)
    return start + len(code[start:end].encode()[:column].decode(errors="ignore"))
