"""The text of a changed program: only the changed piece is written anew, the rest stays."""

import ast
import copy
import textwrap
from collections.abc import Iterator

from trainers.code_trainer.edits.program import Program
from trainers.code_trainer.edits.tree import Path, at, form


class NoText(Exception):
    """The changed tree has no text that means it."""


def render(program: Program, tree: ast.Module, path: Path) -> str:
    """Return the text of a changed tree.

    Args:
        program: what was changed.
        tree: the changed tree.
        path: leads in both trees to the node below which all differs, or to an item of its list.

    Raises:
        NoText: what was put in place cannot stand there.
    """
    piece = _Piece(program, tree, program.outermost(path))
    for text in _attempts(program, tree, path):
        try:
            if piece.is_in(text):
                return text
        except (SyntaxError, ValueError, RecursionError):
            continue
    raise NoText(f"nothing that can be written at {path}")


class _Piece:
    """The outermost function that is changed: that a text means the changed tree is seen there.

    A function has lines of its own, so that the rest of a file need not be parsed again.
    """

    def __init__(self, program: Program, tree: ast.Module, around: Path) -> None:
        self._program, self._tree, self._around = program, tree, around

    def is_in(self, text: str) -> bool:
        """Tell whether a text is that of the changed tree.

        Raises:
            SyntaxError: it is no Python.
        """
        if self._around:
            node = at(self._program.tree, self._around)
            assert isinstance(node, ast.stmt)
            start, stop = self._program.lines(node)
            before, after = (
                self._program.text(0, start),
                self._program.text(stop, self._program.end),
            )
            own_lines = self._program.text(start, stop).lstrip().startswith(_BEGINS)
            longer = len(text) > len(before) + len(after)
            if own_lines and longer and text.startswith(before) and text.endswith(after):
                found = _alone(text[len(before) : len(text) - len(after)])
                return found is not None and form(found) == form(at(self._tree, self._around))
        return form(ast.parse(text)) == form(self._tree)


_BEGINS = ("def ", "async ", "@")


def _alone(text: str) -> ast.stmt | None:
    """Return the statement of some lines, wherever they stood; None where there are more."""
    body = ast.parse(text if text[:1] not in (" ", "\t") else f"if 1:\n{text}").body
    if body and isinstance(body[0], ast.If):
        body = body[0].body
    return body[0] if len(body) == 1 else None


def _attempts(program: Program, tree: ast.Module, path: Path) -> Iterator[str]:
    """Give texts, the least changed first."""
    yield from _listed(program, tree, path)
    for length in range(len(path), 0, -1):
        here = path[:length]
        try:
            old, new = at(program.tree, here), at(tree, here)
        except LookupError:
            continue
        span = program.span(old)
        if span is None or not isinstance(new, ast.expr | ast.stmt | ast.keyword):
            continue
        yield from _replaced(program, span, new)
    yield _written(tree)


def _written(node: ast.AST) -> str:
    try:
        return ast.unparse(copy.copy(node))
    except (AttributeError, TypeError, KeyError, ValueError, RecursionError) as error:
        raise NoText(f"{type(node).__name__}: {error}") from error


def _replaced(program: Program, span: tuple[int, int], new: ast.AST) -> Iterator[str]:
    text = _written(new)
    before, after = program.text(0, span[0]), program.text(span[1], program.end)
    if isinstance(new, ast.stmt):
        yield before + _indented(text, _margin(before)) + after
        return
    yield before + text + after
    yield f"{before}({text}){after}"


def _margin(before: str) -> str:
    line = before[before.rfind("\n") + 1 :]
    return line[: len(line) - len(line.lstrip())]


def _indented(text: str, margin: str) -> str:
    """Indent all lines but the first."""
    return textwrap.indent(text, margin).removeprefix(margin)


def _listed(program: Program, tree: ast.Module, path: Path) -> Iterator[str]:
    """Give the text where a statement came into a list of statements, or left it."""
    name, index = path[-1]
    old_parent, new_parent = at(program.tree, path[:-1]), at(tree, path[:-1])
    old, new = getattr(old_parent, name, None), getattr(new_parent, name, None)
    if index is None or not isinstance(old, list) or not isinstance(new, list):
        return
    if not all(isinstance(item, ast.stmt) for item in [*old, *new]) or not old:
        return
    if len(new) == len(old) + 1:
        yield _inserted(program, old, new[index], index)
    elif len(new) == len(old) - 1:
        start, stop = program.lines(old[index])
        yield program.text(0, start) + program.text(stop, program.end)


def _inserted(program: Program, old: list[ast.stmt], new: ast.stmt, index: int) -> str:
    """Return the text with a statement on lines of its own before an item, or after the last."""
    near = old[min(index, len(old) - 1)]
    last = index == len(old)
    cut = program.lines(near)[last]
    start = program.line_start(near.lineno)
    margin = program.text(start, start + near.col_offset)
    before = program.text(0, cut)
    if before and not before.endswith("\n"):
        before += "\n"
    return before + textwrap.indent(_written(new), margin) + "\n" + program.text(cut, program.end)
