"""What a change of Python source changed, as small edits of its syntax tree.

Functions are matched by qualified name; inside, lists are aligned by least cost and nodes of one
type are compared field by field, so that an edit is the smallest changed subtree (after GumTree,
Falleri et al. 2014, with an exact alignment in place of its hashes, since functions are small).
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Literal

from trainers.code_trainer.edits.tree import (
    FUNCTIONS,
    SCOPES,
    Path,
    Step,
    at,
    bare,
    fields,
    form,
    is_docstring,
    size,
)

Kind = Literal["replace", "insert", "delete"]

MAX_ALIGNED = 900
"""Pairs that an exact alignment of two lists may compare; longer ones go by equal items."""


@dataclass(frozen=True)
class Edit:
    """One changed place of a function.

    ``path`` leads from the old function to what is replaced or deleted, or to the item before which
    ``new`` is inserted; ``new_path`` to its place in the new function. ``parent`` is the old node
    above it. ``function`` is the qualified name, "" for statements of a module.
    """

    kind: Kind
    path: Path
    new_path: Path
    parent: ast.AST
    old: ast.AST | None
    new: ast.AST | None
    function: str = ""


@dataclass(frozen=True)
class Change:
    """A function before and after, and the edits between; ``before`` in its old module."""

    function: str
    before: ast.AST
    after: ast.AST
    edits: tuple[Edit, ...]


def changes(before: str, after: str) -> list[Change]:
    """Find the functions that differ between two texts of a file, with their edits.

    Raises:
        SyntaxError: one of the texts is no Python of this version.
    """
    old, new = _scopes(before), _scopes(after)
    found = []
    for name, (text, scope) in old.items():
        if name in new and new[name][0] != text:
            edits = [replace(e, function=name) for e in edits_between(scope, new[name][1])]
            if edits:
                found.append(Change(name, scope, new[name][1], tuple(edits)))
    return found


def edits_between(old: ast.AST, new: ast.AST) -> list[Edit]:
    """Return the edits that lead from one tree to the other."""
    return [edit for edit in _compare(old, new, old, {})[1] if _about_code(edit)]


def _about_code(edit: Edit) -> bool:
    """Annotations and docstrings do not change what a program does."""
    names = {name for name, _ in edit.path}
    return not names & {"annotation", "returns", "decorator_list", "type_params"}


def _scopes(source: str) -> dict[str, tuple[str, ast.AST]]:
    """Give each function's text and tree by qualified name; "" for the module's own statements."""
    module = ast.parse(source)
    lines = source.splitlines()
    found: dict[str, tuple[str, ast.AST]] = {}

    def visit(body: Sequence[ast.stmt], prefix: str) -> None:
        for statement in body:
            if isinstance(statement, SCOPES):
                name = f"{prefix}{statement.name}"
                if isinstance(statement, ast.ClassDef):
                    visit(statement.body, f"{name}.")
                elif name not in found:  # overloads share a name; the first stands for them
                    text = "\n".join(lines[statement.lineno - 1 : statement.end_lineno])
                    found[name] = (text, without_docstring(statement))

    visit(module.body, "")
    own = [s for s in module.body if not isinstance(s, (*SCOPES, ast.Import, ast.ImportFrom))]
    text = "\n".join("\n".join(lines[s.lineno - 1 : s.end_lineno]) for s in own)
    found[""] = (text, ast.Module(body=own, type_ignores=[]))
    return found


def without_docstring(function: ast.stmt) -> ast.AST:
    """Return the function without the text that it starts with."""
    twin = bare(function)
    if isinstance(twin, FUNCTIONS) and len(twin.body) > 1 and is_docstring(twin.body[0]):
        twin.body = twin.body[1:]
    return twin


_Result = tuple[int, list[Edit]]
_Known = dict[tuple[int, int, int], _Result]
"""Results by the identities of both nodes and the parent: alignments ask again and again."""


def _compare(old: ast.AST, new: ast.AST, parent: ast.AST, known: _Known) -> _Result:
    """Return the cost, in nodes, of turning one tree into another, and the edits from here on."""
    key = (id(old), id(new), id(parent))
    if key not in known:
        known[key] = _compared(old, new, parent, known)
    return known[key]


def _compared(old: ast.AST, new: ast.AST, parent: ast.AST, known: _Known) -> _Result:
    if form(old) == form(new):
        return 0, []
    whole = Edit("replace", (), (), parent, old, new)
    cost = _replacing(old, new)
    if type(old) is not type(new) or cost < size(old) + size(new):
        return cost, [whole]
    total, edits = 0, list[Edit]()
    for (name, left), (_, right) in zip(fields(old), fields(new), strict=True):
        if isinstance(left, ast.AST) and isinstance(right, ast.AST):
            below, found = _compare(left, right, old, known)
            step: Step = (name, None)
            edits += [_below(edit, step, step) for edit in found]
        elif isinstance(left, list) and isinstance(right, list) and _nodes(left) and _nodes(right):
            below, found = _align(left, right, name, old, known)
            edits += found
        elif _same(left, right):
            continue
        else:
            return cost, [whole]  # a name, a constant, or a part that only one of them has
        total += below
    return (total, edits) if total < cost else (cost, [whole])


def _replacing(old: ast.AST, new: ast.AST) -> int:
    """Return what replacing costs: less where one is kept inside the other."""
    if _within(old, new):
        return size(new) - size(old)
    if _within(new, old):
        return size(old) - size(new)
    return size(old) + size(new)


def _within(part: ast.AST, whole: ast.AST) -> bool:
    # Forms are texts of the whole subtree, so that a search of text is a search of subtrees.
    return size(part) < size(whole) and form(part) in form(whole)


def _nodes(items: list[object]) -> bool:
    return all(isinstance(item, ast.AST) for item in items)


def _same(left: object, right: object) -> bool:
    return type(left) is type(right) and left == right


def _below(edit: Edit, step: Step, new_step: Step) -> Edit:
    return replace(edit, path=(step, *edit.path), new_path=(new_step, *edit.new_path))


def _align(
    old: list[ast.AST], new: list[ast.AST], name: str, parent: ast.AST, known: _Known
) -> _Result:
    """Align two lists of nodes by least cost."""
    start, tail = 0, 0
    while start < min(len(old), len(new)) and form(old[start]) == form(new[start]):
        start += 1
    while tail < min(len(old), len(new)) - start and form(old[len(old) - 1 - tail]) == form(
        new[len(new) - 1 - tail]
    ):
        tail += 1
    left, right = old[start : len(old) - tail], new[start : len(new) - tail]
    total, edits = 0, list[Edit]()
    for i, j in _script(left, right, parent, known):
        here, there = start + (i[0]), start + (j[0])
        step, new_step = (name, here), (name, there)
        if i[1] and j[1]:
            cost, found = _compare(old[here], new[there], parent, known)
            edits += [_below(edit, step, new_step) for edit in found]
        elif j[1]:
            cost = size(new[there])
            edits.append(Edit("insert", (step,), (new_step,), parent, None, new[there]))
        else:
            cost = size(old[here])
            edits.append(Edit("delete", (step,), (new_step,), parent, old[here], None))
        total += cost
    return total, edits


_Side = tuple[int, bool]
"""A place in one of two lists, and whether the item there takes part."""


def _script(
    old: list[ast.AST], new: list[ast.AST], parent: ast.AST, known: _Known
) -> Iterator[tuple[_Side, _Side]]:
    """Give the pairs, deletions and insertions that align two lists at least cost, in order."""
    if len(old) * len(new) > MAX_ALIGNED:
        yield from _coarse(old, new)
        return
    best = _costs(old, new, parent, known)
    i = j = 0
    while i < len(old) or j < len(new):
        _, move = best[i][j]
        yield (i, move != "insert"), (j, move != "delete")
        i += move != "insert"
        j += move != "delete"


def _costs(
    old: list[ast.AST], new: list[ast.AST], parent: ast.AST, known: _Known
) -> list[list[tuple[int, str]]]:
    """Return the least cost of aligning each pair of tails, and the move that it starts with."""
    best = [[(0, "")] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in range(len(old), -1, -1):
        for j in range(len(new), -1, -1):
            moves = []
            if i < len(old) and j < len(new):
                cost = _compare(old[i], new[j], parent, known)[0]
                moves.append((cost + best[i + 1][j + 1][0], "pair"))
            if i < len(old):
                moves.append((size(old[i]) + best[i + 1][j][0], "delete"))
            if j < len(new):
                moves.append((size(new[j]) + best[i][j + 1][0], "insert"))
            if moves:
                best[i][j] = min(moves, key=lambda move: move[0])
    return best


def _coarse(old: list[ast.AST], new: list[ast.AST]) -> Iterator[tuple[_Side, _Side]]:
    """Align two long lists by their equal items."""
    matcher = SequenceMatcher(None, [form(n) for n in old], [form(n) for n in new], autojunk=False)
    for _, i1, i2, j1, j2 in matcher.get_opcodes():
        paired = min(i2 - i1, j2 - j1)
        for k in range(paired):
            yield (i1 + k, True), (j1 + k, True)
        for i in range(i1 + paired, i2):
            yield (i, True), (j1 + paired, False)
        for j in range(j1 + paired, j2):
            yield (i1 + paired, False), (j, True)


def lifted(change: Change) -> list[Edit]:
    """Return the change's edits, and for each statement with several the one edit that is them all.

    A swap, for example, is two replacements by its parts and one by the node above them.
    """
    groups: dict[Path, list[Edit]] = {}
    for edit in change.edits:
        groups.setdefault(_statement_path(change.before, edit.path), []).append(edit)
    joint = [_joined(change, group) for group in groups.values() if len(group) > 1]
    return [*change.edits, *(edit for edit in joint if edit is not None)]


def _statement_path(root: ast.AST, path: Path) -> Path:
    """Return the path of the innermost statement around a place."""
    node = root
    best: Path = ()
    for depth, (name, index) in enumerate(path):
        value = getattr(node, name)
        if index is not None and index >= len(value):
            break
        node = value if index is None else value[index]
        if isinstance(node, ast.stmt):
            best = path[: depth + 1]
    return best


def _joined(change: Change, edits: list[Edit]) -> Edit | None:
    """Return the edit of the lowest node above several edits; None where that is a whole body."""
    shared = min(len(edit.path) for edit in edits) - 1
    first = edits[0]
    while shared > 0 and any(e.path[:shared] != first.path[:shared] for e in edits):
        shared -= 1
    path, new_path = first.path[:shared], first.new_path[:shared]
    if not path or any(edit.new_path[:shared] != new_path for edit in edits):
        return None
    old, new = at(change.before, path), at(change.after, new_path)
    parent = at(change.before, path[:-1])
    return Edit("replace", path, new_path, parent, old, new, first.function)
