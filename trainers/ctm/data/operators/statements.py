"""Structure: conditions, statements and branches that are missing, exchanged or out of order."""

import ast
from collections.abc import Iterator
from itertools import pairwise
from random import Random

from trainers.ctm.data.operators.function import Change, Function, Rewrite, blocks_of, is_docstring

_SIMPLE = ast.Assign | ast.AugAssign | ast.Expr | ast.Return | ast.Raise | ast.Delete
_LEAVES = (ast.Return, ast.Raise, ast.Continue, ast.Break)


def _condition(node: ast.BoolOp, function: Function, rng: Random) -> Iterator[Change]:
    """One of the operands is lost."""
    for one, two in pairwise(node.values):
        yield ((function.text.end(one), function.text.end(two), ""),)
        yield ((function.text.start(one), function.text.start(two), ""),)


def _more_specific(node: ast.BoolOp, function: Function, rng: Random) -> Iterator[Change]:
    if isinstance(node.op, ast.And):
        yield from _condition(node, function, rng)


def _less_specific(node: ast.BoolOp, function: Function, rng: Random) -> Iterator[Change]:
    if isinstance(node.op, ast.Or):
        yield from _condition(node, function, rng)


def _added_condition(node: ast.If | ast.While, function: Function, rng: Random) -> Iterator[Change]:
    names = sorted(set(function.bound) - {"self", "cls"})
    if names and not isinstance(node.test, ast.BoolOp | ast.IfExp | ast.Lambda | ast.NamedExpr):
        end = function.text.end(node.test)
        negation = "not " if rng.random() < 0.3 else ""
        yield ((end, end, f" and {negation}{rng.choice(names)}"),)


def _swapped_branches(node: ast.If, function: Function, rng: Random) -> Iterator[Change]:
    if len(node.body) == 1 and len(node.orelse) == 1:
        one, two = node.body[0], node.orelse[0]
        if isinstance(one, _SIMPLE) and isinstance(two, _SIMPLE):
            yield _exchanged(one, two, function)


def _swapped_choice(node: ast.IfExp, function: Function, rng: Random) -> Iterator[Change]:
    yield _exchanged(node.body, node.orelse, function)


def _shuffled(node: ast.AST, function: Function, rng: Random) -> Iterator[Change]:
    for block in blocks_of(node):
        for one, two in pairwise(block):
            both = _is_simple(one) and _is_simple(two)
            if both and one.lineno != two.lineno:
                yield _exchanged(one, two, function)


def _missing_statement(node: ast.AST, function: Function, rng: Random) -> Iterator[Change]:
    for block in blocks_of(node):
        for statement in block if len(block) > 1 else ():
            if _is_simple(statement):
                for piece in function.text.without_lines(statement):
                    yield (piece,)


def _missing_guard(node: ast.AST, function: Function, rng: Random) -> Iterator[Change]:
    for block in blocks_of(node):
        for statement in block if len(block) > 1 else ():
            is_if = isinstance(statement, ast.If) and not statement.orelse
            if is_if and len(statement.body) == 1 and isinstance(statement.body[0], _LEAVES):  # type: ignore[attr-defined]
                for piece in function.text.without_lines(statement):
                    yield (piece,)


def _missing_wrapper(
    node: ast.If | ast.For | ast.With | ast.While, function: Function, rng: Random
) -> Iterator[Change]:
    """The header of a block of one or two short statements is lost, and they move out."""
    if getattr(node, "orelse", None) or len(node.body) > 2:
        return
    if any(not isinstance(s, _SIMPLE) or s.lineno != s.end_lineno for s in node.body):
        return
    if node.body[0].lineno == node.lineno:
        return
    lines = [function.text.of(statement) for statement in node.body]
    yield (function.text.put(node, ("\n" + " " * node.col_offset).join(lines)),)


def _missing_return(node: ast.Return, function: Function, rng: Random) -> Iterator[Change]:
    if node.value is not None:
        yield ((function.text.start(node), function.text.start(node.value), ""),)


def _is_simple(statement: ast.stmt) -> bool:
    return isinstance(statement, _SIMPLE) and not is_docstring(statement)


def _exchanged(one: ast.AST, two: ast.AST, function: Function) -> Change:
    text = function.text
    return (text.put(one, text.of(two)), text.put(two, text.of(one)))


_BLOCKS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.If, ast.For, ast.While, ast.With, ast.Try)
REWRITES: tuple[tuple[str, tuple[type[ast.AST], ...], Rewrite], ...] = (
    ("more_specific_condition", (ast.BoolOp,), _more_specific),
    ("less_specific_condition", (ast.BoolOp,), _less_specific),
    ("less_specific_condition", (ast.If, ast.While), _added_condition),
    ("swapped_branches", (ast.If,), _swapped_branches),
    ("swapped_branches", (ast.IfExp,), _swapped_choice),
    ("shuffled_lines", _BLOCKS, _shuffled),
    ("missing_statement", _BLOCKS, _missing_statement),
    ("missing_guard", _BLOCKS, _missing_guard),
    ("missing_wrapper", (ast.If, ast.For, ast.With, ast.While), _missing_wrapper),
    ("missing_return", (ast.Return,), _missing_return),
)
