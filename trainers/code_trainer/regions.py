"""What a change is made of: its regions of lines, and which of the six operations each one is."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import Literal, get_args

from trainers.code_trainer.chunks import parse_file
from trainers.tasks.python_source import parse

Operation = Literal[
    "add_line",
    "delete_line",
    "modify_line",
    "add_function",
    "delete_function",
    "modify_function",
]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)
MODIFIED_SHARE = 0.5
"""A replacement of at least this share of a function's lines modifies the function: with it, the
shares of the operations over SWE-bench are those of the research page (§4.1) within its noise."""

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_HEADER = re.compile(r"\s*(?:async\s+def|def|class)\b")


@dataclass(frozen=True)
class Region:
    """A contiguous block of changed lines.

    Lines ``start`` to ``end`` (from 0, ``end`` excluded) of the text before, ``removed``, gave way
    to ``added``; lines keep their line ends. One of the two may be empty, never both.
    """

    path: str
    start: int
    removed: tuple[str, ...]
    added: tuple[str, ...]
    operation: Operation

    @property
    def end(self) -> int:
        """The line after the last removed one; ``start`` where nothing was removed."""
        return self.start + len(self.removed)

    @property
    def size(self) -> int:
        """How many lines were removed and added."""
        return len(self.removed) + len(self.added)


def split_lines(text: str) -> list[str]:
    """Lines with their ends, split at line feeds alone, as git does."""
    return _LINE.findall(text)


def regions(before: str, after: str, path: str = "") -> list[Region]:
    """The changed regions of one file in order; empty where the texts are equal."""
    old, new = split_lines(before), split_lines(after)
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    inner_old, inner_new = old[head : len(old) - tail], new[head : len(new) - tail]
    functions = _Functions(before)
    found = []
    for tag, i, j, k, m in SequenceMatcher(None, inner_old, inner_new, False).get_opcodes():
        if tag != "equal":
            removed, added = tuple(inner_old[i:j]), tuple(inner_new[k:m])
            kind = _operation(head + i, removed, added, functions)
            found.append(Region(path, head + i, removed, added, kind))
    return found


def task_regions(before: Mapping[str, str], after: Mapping[str, str]) -> list[Region]:
    """The regions of all files, by path; a file that only one of the two has is one region."""
    return [
        region
        for path in sorted({*before, *after})
        for region in regions(before.get(path, ""), after.get(path, ""), path)
    ]


def largest_region(
    before: str | Mapping[str, str], after: str | Mapping[str, str]
) -> Region | None:
    """The region of most lines, the first of equals, of one text or of the texts by path.

    None where nothing changed.
    """
    if isinstance(before, str) or isinstance(after, str):
        before, after = {"": str(before)}, {"": str(after)}
    return max(task_regions(before, after), key=lambda region: region.size, default=None)


def largest_region_operation(
    before: str | Mapping[str, str], after: str | Mapping[str, str]
) -> Operation | None:
    """The operation of a change's largest region; None where nothing changed."""
    region = largest_region(before, after)
    return region.operation if region else None


def edited_functions(before: str, after: str) -> list[str]:
    """Qualified names of the functions of ``before`` that a change touches, in file order.

    A line inserted at the end of a function counts as that function's where it is indented as
    deep as its body; definitions that are only in ``after`` have no name here.
    """
    functions = [chunk for chunk in parse_file(before).chunks if chunk.kind == "function"]
    touched: dict[str, None] = {}
    for region in regions(before, after):
        for chunk in functions:
            if _touches(region, chunk.start - 1, chunk.end, before):
                touched[chunk.name] = None
    return list(touched)


def _touches(region: Region, start: int, end: int, before: str) -> bool:
    """Whether a region changes lines ``start`` to ``end`` (0-based, half-open)."""
    if region.start < region.end:
        return region.start < end and region.end > start
    if start < region.start < end:
        return True
    if region.start != end:
        return False
    first = next((line for line in region.added if line.strip()), "")
    header = before.splitlines()[start]
    return _indent(first) > _indent(header)


def _indent(line: str) -> int:
    expanded = line.expandtabs()
    return len(expanded) - len(expanded.lstrip())


def _common(left: list[str], right: list[str]) -> int:
    """How many first lines two texts share."""
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count


class _Functions:
    """Where the functions of a text are; it is parsed when first asked, for that costs the most."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _lines(self) -> list[tuple[int, int]]:
        try:
            return list(_function_lines(parse(self._text)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return []  # no Python, or none that this interpreter reads

    def share(self, start: int, count: int) -> float:
        """The share that lines have of the innermost function around them; 0 outside of all."""
        around = [(a, b) for a, b in self._lines if a <= start and start + count <= b]
        if not around:
            return 0.0
        first, last = max(around)
        return count / (last - first)


def _operation(
    start: int, removed: tuple[str, ...], added: tuple[str, ...], functions: _Functions
) -> Operation:
    old_header = any(_HEADER.match(line) for line in removed)
    new_header = any(_HEADER.match(line) for line in added)
    if not removed:
        return "add_function" if new_header else "add_line"
    if not added:
        return "delete_function" if old_header else "delete_line"
    if old_header or new_header or functions.share(start, len(removed)) >= MODIFIED_SHARE:
        return "modify_function"
    return "modify_line"


def _function_lines(node: ast.AST) -> Iterator[tuple[int, int]]:
    """First line, from 0, and the line after the last one of every function in statements."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            continue
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and child.end_lineno:
            yield child.lineno - 1, child.end_lineno
        yield from _function_lines(child)
