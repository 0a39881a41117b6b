"""Constant expressions of tests, worked out without running anything: literals and some more."""

import ast
import math
import operator
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

MAX_BITS = 1 << 16
"""Bound on the integers that arithmetic may make."""

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
    ast.Invert: operator.invert,
}
_MAKERS: dict[str, Callable[..., Any]] = {
    kind.__name__: kind
    for kind in (set, frozenset, tuple, list, dict, float, int, str, complex, bytes, bytearray)
} | {"range": range, "Counter": Counter, "OrderedDict": OrderedDict, "deque": deque}
_MAKERS |= {"Decimal": Decimal, "Fraction": Fraction, "sorted": sorted, "len": len, "abs": abs}
_MATH = {"inf": math.inf, "nan": math.nan, "pi": math.pi, "e": math.e}


class NotConstant(Exception):
    """The expression is not constant by these rules; the text says which part."""


def fold(node: ast.expr, names: Mapping[str, ast.expr] = {}) -> Any:
    """Return the value of a constant expression, made anew at each call.

    ``names`` are variables that stand for constant expressions themselves.

    Raises:
        NotConstant: it is not one, or too large, or its evaluation fails.
    """
    try:
        return _fold(node, names)
    except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise NotConstant(f"{ast.unparse(node)[:60]}: {error}") from error


def _fold(node: ast.expr, names: Mapping[str, ast.expr]) -> Any:
    match node:
        case ast.Constant(value=value) if value is not ...:
            return value
        case ast.Name(id=name) if name in names:
            return _fold(names[name], {k: v for k, v in names.items() if k != name})
        case ast.List(elts=items):
            return _items(items, names)
        case ast.Tuple(elts=items):
            return tuple(_items(items, names))
        case ast.Set(elts=items):
            return set(_items(items, names))
        case ast.Dict(keys=keys, values=values) if None not in keys:
            pairs = zip(keys, values, strict=True)
            return {_fold(k, names): _fold(v, names) for k, v in pairs if k is not None}
        case ast.UnaryOp(op=op, operand=operand):
            return _UNARY[type(op)](_fold(operand, names))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _binary(op, _fold(left, names), _fold(right, names))
        case ast.Call():
            return _made(node, names)
        case ast.Attribute(value=ast.Name(id="math"), attr=name) if name in _MATH:
            return _MATH[name]
    raise NotConstant(f"{ast.unparse(node)[:60]} is not constant")


def _items(nodes: list[ast.expr], names: Mapping[str, ast.expr]) -> list[Any]:
    items: list[Any] = []
    for node in nodes:
        if isinstance(node, ast.Starred):
            items.extend(_fold(node.value, names))
        else:
            items.append(_fold(node, names))
    return items


def _binary(op: ast.operator, left: Any, right: Any) -> Any:
    if isinstance(op, ast.Pow) and _size(left) * (right if type(right) is int else 1) > MAX_BITS:
        raise NotConstant("a power of too many digits")
    if isinstance(op, ast.Mult) and _size(left) * _size(right) > MAX_BITS**2:
        raise NotConstant("a product that is too large")
    return _BINARY[type(op)](left, right)


def _size(value: Any) -> int:
    if isinstance(value, int):
        return max(1, abs(value)) if value.bit_length() < 40 else MAX_BITS**2
    return len(value) + 1 if hasattr(value, "__len__") else 1


def _made(node: ast.Call, names: Mapping[str, ast.expr]) -> Any:
    if not isinstance(node.func, ast.Name) or any(key.arg is None for key in node.keywords):
        raise NotConstant(f"{ast.unparse(node)[:60]} is not constant")
    name = node.func.id
    args = _items(node.args, names)
    if name == "defaultdict":
        return defaultdict(None, *args[1:])
    if name not in _MAKERS:
        raise NotConstant(f"{name}(...) is not constant")
    return _MAKERS[name](*args, **{str(k.arg): _fold(k.value, names) for k in node.keywords})
