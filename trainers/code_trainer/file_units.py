"""The statements of a file as pieces of text, and how alike two pieces are."""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property, lru_cache

from trainers.code_trainer.edits.tree import first_line, is_docstring
from trainers.code_trainer.quotes import bare
from trainers.tasks.python_source import parse

LEAST_ALIKE = 0.5
"""Similarity below which a quoted line is not a new form of what stands in a file."""

_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True)
class Unit:
    """A simple statement, or the head of a block: lines ``start`` to ``end`` (excluded, from 0).

    ``body_end``: where its block ends.
    """

    start: int
    end: int
    text: str
    head: bool
    body_end: int

    @cached_property
    def bare(self) -> str:
        """The text without blanks."""
        return bare(self.text)

    @cached_property
    def names(self) -> frozenset[str]:
        """The words of the text."""
        return names_of(self.text)

    @property
    def indent(self) -> int:
        """How many blanks stand before it."""
        return indent_of(self.text)


def units_of(text: str, lines: Sequence[str]) -> list[Unit]:
    """The statements of a file, docstrings left out, in its order.

    Raises:
        SyntaxError: the file is no Python of this version.
    """
    found = []
    for node in _statements(parse(text)):
        if node.end_lineno is None or is_docstring(node):
            continue
        start, end = node.lineno - 1, node.end_lineno
        body: list[ast.stmt] = getattr(node, "body", None) or []
        if body:
            end = max(start + 1, first_line(body[0]) - 1)
            while end > start + 1 and not lines[end - 1].split("#")[0].rstrip().endswith(":"):
                end -= 1
        found.append(Unit(start, end, "\n".join(lines[start:end]), bool(body), node.end_lineno))
    return sorted(found, key=lambda unit: (unit.start, unit.end))


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Give the statements below a node, a block before what is in it."""
    for name in ("body", "orelse", "handlers", "finalbody", "cases"):
        for child in getattr(node, name, ()):
            if isinstance(child, ast.stmt):
                yield child
            yield from _statements(child)


def names_of(text: str) -> frozenset[str]:
    """The words of a piece of code."""
    return frozenset(_NAME.findall(text))


def indent_of(line: str) -> int:
    """How many blanks a line begins with."""
    return len(line) - len(line.lstrip())


def shifted(line: str, by: int) -> str:
    """A line with so many blanks more before it."""
    return " " * max(0, indent_of(line) + by) + line.lstrip()


@lru_cache(maxsize=20_000)
def alike(one: str, other: str) -> float:
    """How alike two texts are, 0 where less than what counts; files share many questions."""
    if 2 * min(len(one), len(other)) < LEAST_ALIKE * (len(one) + len(other)):
        return 0.0
    matcher = SequenceMatcher(None, one, other, False)
    if matcher.real_quick_ratio() < LEAST_ALIKE or matcher.quick_ratio() < LEAST_ALIKE:
        return 0.0
    return matcher.ratio()
