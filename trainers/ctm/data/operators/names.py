"""Misuse: a wrong variable, function, attribute, argument or operand; one to a few lexemes."""

import ast
from collections.abc import Iterator
from itertools import pairwise
from random import Random

from trainers.ctm.data.operators.function import (
    Change,
    Function,
    Rewrite,
    parent_of,
)

_ERRORS = [
    "ValueError",
    "KeyError",
    "IndexError",
    "TypeError",
    "AttributeError",
    "StopIteration",
    "OSError",
    "RuntimeError",
    "LookupError",
    "ImportError",
    "NotImplementedError",
]
_WRAPPERS = ("str", "len", "list", "int", "tuple", "set", "sorted", "bool", "repr")
_SHORT = 24  # characters of an expression that is replaced or repeated


def _is_read(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)


def _is_called(node: ast.AST) -> bool:
    parent = parent_of(node)
    return isinstance(parent, ast.Call) and parent.func is node


def _variable_misuse(node: ast.Name, function: Function, rng: Random) -> Iterator[Change]:
    usable = _is_read(node) and node.id in function.bound and not _is_called(node)
    if usable and (others := function.others(node)):
        yield (function.text.put(node, rng.choice(others)),)


def _wrong_function(node: ast.Call, function: Function, rng: Random) -> Iterator[Change]:
    if isinstance(node.func, ast.Name):
        name = node.func.id
        if others := [other for other in function.called if other != name]:
            yield (function.text.put(node.func, rng.choice(others)),)


def _wrong_attribute(node: ast.Attribute, function: Function, rng: Random) -> Iterator[Change]:
    if others := [other for other in function.attributes if other != node.attr]:
        end = function.text.end(node)
        yield ((end - len(node.attr.encode()), end, rng.choice(others)),)


def _missing_attribute(node: ast.Attribute, function: Function, rng: Random) -> Iterator[Change]:
    if isinstance(node.ctx, ast.Load) and not _is_called(node):
        yield ((function.text.end(node.value), function.text.end(node), ""),)


def _wrong_keyword(node: ast.Call, function: Function, rng: Random) -> Iterator[Change]:
    named = [k for k in node.keywords if k.arg]
    known = {k.arg for n in function.nodes if isinstance(n, ast.Call) for k in n.keywords if k.arg}
    for keyword in named:
        others = sorted(known - {k.arg for k in named})
        if others:
            start = function.text.start(keyword)
            end = start + len((keyword.arg or "").encode())
            yield ((start, end, rng.choice(others)),)


def _more_arguments(node: ast.Call, function: Function, rng: Random) -> Iterator[Change]:
    """An argument is lost; the repair calls the same function with more."""
    every: list[ast.expr | ast.keyword] = [*node.args, *node.keywords]
    arguments = sorted(every, key=lambda a: (a.lineno, a.col_offset))
    for one, two in pairwise(arguments):
        yield ((function.text.end(one), function.text.end(two), ""),)
    if len(arguments) == 1 and not isinstance(arguments[0], ast.GeneratorExp):
        yield (function.text.put(arguments[0], ""),)


def _fewer_arguments(node: ast.Call, function: Function, rng: Random) -> Iterator[Change]:
    if node.args and not node.keywords and not isinstance(node.args[-1], ast.GeneratorExp):
        names = sorted(set(function.bound) - {"self", "cls"})
        end = function.text.end(node.args[-1])
        if names:
            yield ((end, end, f", {rng.choice([*names, 'None', 'True'])}"),)


def _swapped_arguments(node: ast.Call, function: Function, rng: Random) -> Iterator[Change]:
    for one, two in pairwise(node.args):
        if not any(isinstance(a, ast.Starred) for a in (one, two)):
            yield (
                function.text.put(one, function.text.of(two)),
                function.text.put(two, function.text.of(one)),
            )


def _missing_call(node: ast.Call, function: Function, rng: Random) -> Iterator[Change]:
    plain = len(node.args) == 1 and not node.keywords and isinstance(node.func, ast.Name)
    if plain and not isinstance(node.args[0], ast.GeneratorExp | ast.Starred):
        yield (function.text.put(node, function.text.of(node.args[0])),)


def _missing_method(node: ast.Call, function: Function, rng: Random) -> Iterator[Change]:
    if isinstance(node.func, ast.Attribute) and len(node.args) <= 1 and not node.keywords:
        yield ((function.text.end(node.func.value), function.text.end(node), ""),)


def _added_call(node: ast.Name, function: Function, rng: Random) -> Iterator[Change]:
    if _is_read(node) and not _is_called(node) and node.id not in ("self", "cls"):
        yield (function.text.put(node, f"{rng.choice(_WRAPPERS)}({node.id})"),)


def _missing_element(
    node: ast.List | ast.Tuple | ast.Set, function: Function, rng: Random
) -> Iterator[Change]:
    if len(node.elts) > 2 or (len(node.elts) == 2 and not isinstance(node, ast.Tuple)):
        for one, two in pairwise(node.elts):
            yield ((function.text.end(one), function.text.end(two), ""),)


def _wrong_exception(node: ast.ExceptHandler, function: Function, rng: Random) -> Iterator[Change]:
    if isinstance(node.type, ast.Name):
        others = [name for name in _ERRORS if name != node.type.id]
        yield (function.text.put(node.type, rng.choice(others)),)


def _raised(node: ast.Raise, function: Function, rng: Random) -> Iterator[Change]:
    called = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    if isinstance(called, ast.Name) and called.id in _ERRORS:
        others = [name for name in _ERRORS if name != called.id]
        yield (function.text.put(called, rng.choice(others)),)


def _string(node: ast.Constant, function: Function, rng: Random) -> Iterator[Change]:
    if isinstance(node.value, str):
        text = function.text.of(node)
        others = [other for other in function.strings if other != text]
        if text in function.strings and others:
            yield (function.text.put(node, rng.choice(others)),)


def _wrong_operand(
    node: ast.BinOp | ast.Compare, function: Function, rng: Random
) -> Iterator[Change]:
    operands = (
        [node.left, node.right] if isinstance(node, ast.BinOp) else [node.left, *node.comparators]
    )
    names = sorted(set(function.bound) - {"self", "cls"})
    for operand in operands:
        text = function.text.of(operand)
        if len(text) > _SHORT or isinstance(operand, ast.BinOp | ast.Compare | ast.BoolOp):
            continue
        if isinstance(operand, ast.Name):
            yield (function.text.put(operand, rng.choice(["0", "1", "2", "None"])),)
        elif others := [name for name in names if name != text]:
            yield (function.text.put(operand, rng.choice(others)),)


def _swapped_operands(
    node: ast.BinOp | ast.Compare, function: Function, rng: Random
) -> Iterator[Change]:
    if isinstance(node, ast.BinOp):
        one, two = node.left, node.right
    else:
        one, two = node.left, node.comparators[0]
    symmetric = isinstance(getattr(node, "op", None), ast.Mult)
    if not symmetric and not isinstance(one, ast.BinOp) and not isinstance(two, ast.BinOp):
        left, right = function.text.of(one), function.text.of(two)
        if max(len(left), len(right)) <= _SHORT:
            yield (function.text.put(one, right), function.text.put(two, left))


REWRITES: tuple[tuple[str, tuple[type[ast.AST], ...], Rewrite], ...] = (
    ("variable_misuse", (ast.Name,), _variable_misuse),
    ("wrong_function", (ast.Call,), _wrong_function),
    ("wrong_attribute", (ast.Attribute,), _wrong_attribute),
    ("missing_attribute", (ast.Attribute,), _missing_attribute),
    ("wrong_keyword", (ast.Call,), _wrong_keyword),
    ("more_arguments", (ast.Call,), _more_arguments),
    ("fewer_arguments", (ast.Call,), _fewer_arguments),
    ("swapped_arguments", (ast.Call,), _swapped_arguments),
    ("missing_call", (ast.Call,), _missing_call),
    ("missing_method_call", (ast.Call,), _missing_method),
    ("added_call", (ast.Name,), _added_call),
    ("missing_element", (ast.List, ast.Tuple, ast.Set), _missing_element),
    ("wrong_exception", (ast.ExceptHandler,), _wrong_exception),
    ("wrong_exception", (ast.Raise,), _raised),
    ("string_literal", (ast.Constant,), _string),
    ("wrong_operand", (ast.BinOp, ast.Compare), _wrong_operand),
    ("swapped_operands", (ast.BinOp, ast.Compare), _swapped_operands),
)
