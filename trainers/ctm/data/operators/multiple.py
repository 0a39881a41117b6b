"""Bugs of several dependent edits: repairing one of them alone leaves the program wrong."""

import ast
from collections.abc import Iterator
from itertools import combinations, pairwise
from random import Random

from trainers.ctm.data.operators.function import Change, Function, Rewrite, called_name

_NEAR = 3  # lines between two uses that are changed together
_FLIPPED: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", ">"),
    ast.LtE: ("<=", ">="),
    ast.Gt: (">", "<"),
    ast.GtE: (">=", "<="),
}


def _reads(node: ast.AST, name: str | None = None) -> list[ast.Name]:
    return [
        one
        for one in ast.walk(node)
        if isinstance(one, ast.Name)
        and isinstance(one.ctx, ast.Load)
        and name in (None, one.id)
        and hasattr(one, "parent")
    ]


def _misused_twice(node: ast.FunctionDef, function: Function, rng: Random) -> Iterator[Change]:
    """Another variable at two near uses of one."""
    for name in sorted(function.bound):
        uses = sorted(_reads(node, name), key=lambda n: (n.lineno, n.col_offset))
        for one, two in pairwise(uses):
            if two.lineno - one.lineno <= _NEAR and (others := function.others(one)):
                new = rng.choice(others)
                yield (function.text.put(one, new), function.text.put(two, new))


def _misused_definition(node: ast.Assign, function: Function, rng: Random) -> Iterator[Change]:
    """A result goes to another variable, and the next use reads that one."""
    target = node.targets[0]
    if not isinstance(target, ast.Name):
        return
    root = function.tree.body[0]
    later = [use for use in _reads(root, target.id) if use.lineno > (node.end_lineno or 0)]
    others = function.others(target)
    if later and others:
        use, new = min(later, key=lambda n: (n.lineno, n.col_offset)), rng.choice(others)
        yield (function.text.put(target, new), function.text.put(use, new))


def _swapped_names(node: ast.stmt, function: Function, rng: Random) -> Iterator[Change]:
    """Two variables of a statement stand for each other, wherever they are in it."""
    reads = [n for n in _reads(node) if n.id in function.bound]
    names = sorted({read.id for read in reads} - {"self", "cls"})
    if not 2 <= len(names) <= 6:
        return
    one, two = rng.sample(names, 2)
    other = {one: two, two: one}
    yield tuple(function.text.put(n, other[n.id]) for n in reads if n.id in other)


def _moved(node: ast.expr, function: Function, step: int) -> Change:
    """A bound moved by one: a literal counts on, ``+ 1`` is lost or added."""
    text = function.text
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return (text.put(node, str(node.value + step)),) if node.value + step >= 0 else ()
    if isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant):
        sign = {ast.Add: 1, ast.Sub: -1}.get(type(node.op))
        if node.right.value == 1 and sign is not None and sign + step == 0:
            return ((text.end(node.left), text.end(node), ""),)
        return ()
    if isinstance(node, ast.Name | ast.Call | ast.Attribute | ast.Subscript):
        end = text.end(node)
        return ((end, end, f" {'+' if step > 0 else '-'} 1"),)
    return ()


def _bounds_of_range(node: ast.Call, function: Function, rng: Random) -> Iterator[Change]:
    if called_name(node) == "range" and len(node.args) >= 2:
        yield from _both(node.args[0], node.args[1], function, rng)


def _bounds_of_slice(node: ast.Slice, function: Function, rng: Random) -> Iterator[Change]:
    if node.lower is not None and node.upper is not None:
        yield from _both(node.lower, node.upper, function, rng)


def _both(one: ast.expr, two: ast.expr, function: Function, rng: Random) -> Iterator[Change]:
    step = rng.choice((1, -1))
    left, right = _moved(one, function, step), _moved(two, function, step)
    if left and right:
        yield left + right


def _range_and_index(node: ast.For, function: Function, rng: Random) -> Iterator[Change]:
    """The end of a range and an index by its variable are moved together."""
    call = node.iter
    if not (isinstance(call, ast.Call) and called_name(call) == "range" and call.args):
        return
    if not isinstance(node.target, ast.Name):
        return
    name, end = node.target.id, call.args[min(len(call.args), 2) - 1]
    for index in (n.slice for n in ast.walk(node) if isinstance(n, ast.Subscript)):
        left = index.left if isinstance(index, ast.BinOp) else index
        if isinstance(left, ast.Name) and left.id == name:
            step = rng.choice((1, -1))
            first, second = _moved(end, function, step), _moved(index, function, -step)
            if first and second:
                yield first + second


def _flipped_comparisons(
    node: ast.FunctionDef, function: Function, rng: Random
) -> Iterator[Change]:
    """Two comparisons of one variable are both turned round."""
    found = [
        one
        for one in function.nodes
        if isinstance(one, ast.Compare) and len(one.ops) == 1 and type(one.ops[0]) in _FLIPPED
    ]
    for one, two in combinations(found, 2):
        shared = {n.id for n in _reads(one)} & {n.id for n in _reads(two)}
        if shared:
            pieces = [piece for node in (one, two) for piece in _flip(node, function)]
            if len(pieces) == 2:
                yield tuple(pieces)


def _flip(node: ast.Compare, function: Function) -> list[tuple[int, int, str]]:
    old, new = _FLIPPED[type(node.ops[0])]
    return list(function.text.between(node.left, node.comparators[0], old, new))


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
REWRITES: tuple[tuple[str, tuple[type[ast.AST], ...], Rewrite], ...] = (
    ("misused_twice", _FUNCTIONS, _misused_twice),
    ("misused_twice", (ast.Assign,), _misused_definition),
    ("swapped_names", (ast.Assign, ast.Return, ast.Expr, ast.AugAssign), _swapped_names),
    ("bounds", (ast.Call,), _bounds_of_range),
    ("bounds", (ast.Slice,), _bounds_of_slice),
    ("range_and_index", (ast.For,), _range_and_index),
    ("flipped_comparisons", _FUNCTIONS, _flipped_comparisons),
)


def combined(sites: list[tuple[int, Change]], rng: Random) -> Change | None:
    """Two changes of different near lines as one; None where no two are near.

    Args:
        sites: changes with the lines where they are.
        rng: draws them.
    """
    if len(sites) < 2:
        return None
    line, first = rng.choice(sites)
    near = [c for other, c in sites if 0 < abs(other - line) <= _NEAR and _apart(c, first)]
    return first + rng.choice(near) if near else None


def _apart(one: Change, two: Change) -> bool:
    return all(a[1] < b[0] or b[1] < a[0] for a in one for b in two)
