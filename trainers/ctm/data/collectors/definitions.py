"""Pairs of functions out of two versions of a file: what differs, cut to the function around it."""

import ast
import textwrap
from collections.abc import Iterator

from trainers.ctm.data.corpus import cut
from trainers.tasks.python_source import parse

Definition = ast.FunctionDef | ast.AsyncFunctionDef


def outer_functions(source: str) -> dict[str, tuple[Definition, str]]:
    """The functions that are in no other function, by dotted name, with their text at the margin.

    Raises:
        SyntaxError: the source does not parse (ValueError and RecursionError: for the same reason).
    """
    lines = source.split("\n")
    return {name: (node, cut(lines, node)) for name, node in _named(parse(source), ())}


def changed_functions(before: str, after: str) -> list[tuple[str, str, str]]:
    """The functions that both versions have with another text: name, before, after.

    Raises:
        SyntaxError: one of them does not parse.
    """
    old, new = outer_functions(before), outer_functions(after)
    pairs = ((name, old[name][1], new[name][1]) for name in old if name in new)
    return [(name, one, two) for name, one, two in pairs if one != two]


def same_lines(broken: str, fixed: str, name: str) -> str | None:
    """The lines of a broken file where a function of the sound version stands, at the margin.

    Only where both versions have as many lines; None otherwise.
    """
    node, _ = outer_functions(fixed)[name]
    lines = broken.split("\n")
    if len(lines) != len(fixed.split("\n")) or node.end_lineno is None:
        return None
    return textwrap.dedent("\n".join(lines[node.lineno - 1 : node.end_lineno])) + "\n"


def _named(tree: ast.AST, names: tuple[str, ...]) -> Iterator[tuple[str, Definition]]:
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, Definition):
            yield ".".join((*names, child.name)), child
        else:
            inner = (*names, child.name) if isinstance(child, ast.ClassDef) else names
            yield from _named(child, inner)
