"""Bugs as people write them: small edits of a program's text, found on its syntax tree.

Each edit replaces one piece of the text, so that everything else stays as it is written. The kinds
are the usual ones of repair studies (TBar, Liu et al. 2019, arXiv 1903.08409; PyBugLab, Allamanis
et al. 2021, arXiv 2105.12787): wrong operator, off by one, wrong variable, dropped guard and more.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from random import Random

from trainers.tasks.python_source import parse
from trainers.tasks.swe.injected.edits import EDITS, Piece, Text


@dataclass(frozen=True)
class Mutation:
    """A program with one bug: its ``kind``, line (from 1) and function, as dotted names."""

    kind: str
    line: int
    scope: str
    code: str


class Program:
    """A program whose functions can be mutated, all but those named in ``spared``."""

    def __init__(self, code: str, spared: frozenset[str] = frozenset()) -> None:
        self._text = Text(code)
        self._tree = parse(code)
        self._dump = ast.dump(self._tree)
        self._spared = spared
        for parent in ast.walk(self._tree):
            for child in ast.iter_child_nodes(parent):
                child.parent = parent  # type: ignore[attr-defined]

    def mutations(self, rng: Random, lines: frozenset[int] | None = None) -> Iterator[Mutation]:
        """Give mutants in an order that ``rng`` draws, the kinds in turn.

        Args:
            rng: draws the order, and what replaces what where there is a choice.
            lines: only there, such as the lines that some call reaches.
        """
        by_kind: dict[str, list[tuple[int, str, Piece]]] = {}
        for scope, node in self._nodes:
            line = getattr(node, "lineno", 0)
            if lines is None or line in lines:
                for kind, edit in EDITS:
                    for piece in edit(node, self._text, rng):
                        by_kind.setdefault(kind, []).append((line, scope, piece))
        for sites in by_kind.values():
            rng.shuffle(sites)
        kinds = sorted(by_kind)
        rng.shuffle(kinds)
        for turn in zip_longest(*(by_kind[kind] for kind in kinds)):
            for kind, site in zip(kinds, turn, strict=True):
                code = "" if site is None else self._text.with_piece(site[2])
                if site is not None and self._is_program(code):
                    yield Mutation(kind, site[0], site[1], code)

    @cached_property
    def _nodes(self) -> list[tuple[str, ast.AST]]:
        """The nodes in functions, each with the dotted name of the innermost."""
        return list(_inside(self._tree, (), False, self._spared))

    def scope_of(self, line: int) -> str:
        """Name the innermost function that a line is in; "" outside of all."""
        found = ""
        for node in ast.walk(self._tree):
            if isinstance(node, ast.FunctionDef) and node.lineno <= line <= (node.end_lineno or 0):
                found = node.name
        return found

    def _is_program(self, code: str) -> bool:
        try:
            return ast.dump(parse(code)) != self._dump
        except (SyntaxError, ValueError, RecursionError):
            return False


def _inside(
    node: ast.AST, names: tuple[str, ...], in_function: bool, spared: frozenset[str]
) -> Iterator[tuple[str, ast.AST]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if names or child.name not in spared:
                is_function = in_function or not isinstance(child, ast.ClassDef)
                yield from _inside(child, (*names, child.name), is_function, spared)
        elif not isinstance(child, ast.JoinedStr):  # has no true positions before Python 3.12
            if in_function and not _is_docstring(child):
                yield ".".join(names), child
            yield from _inside(child, names, in_function, spared)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
