"""Simple logic: a wrong operator, literal or look-alike call; one or two lexemes each."""

import ast
from collections.abc import Iterator
from itertools import pairwise
from random import Random

from trainers.ctm.data.operators.function import Change, Function, Rewrite, called_name

_COMPARE: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Lt: ("<", "<=", ">", ">="),
    ast.LtE: ("<=", "<", ">=", ">"),
    ast.Gt: (">", ">=", "<", "<="),
    ast.GtE: (">=", ">", "<=", "<"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not", "=="),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
_BINARY: dict[type[ast.operator], tuple[str, ...]] = {
    ast.Add: ("+", "-", "*"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+", "/", "**"),
    ast.Div: ("/", "//", "*"),
    ast.FloorDiv: ("//", "/", "%"),
    ast.Mod: ("%", "//", "/"),
    ast.Pow: ("**", "*"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
    ast.BitAnd: ("&", "|", "^"),
    ast.BitOr: ("|", "&", "^"),
    ast.BitXor: ("^", "|", "&"),
}
_AUGMENTED: dict[type[ast.operator], tuple[str, ...]] = {
    ast.Add: ("+=", "-=", "="),
    ast.Sub: ("-=", "+=", "="),
    ast.Mult: ("*=", "+=", "="),
    ast.Div: ("/=", "//=", "*="),
    ast.BitOr: ("|=", "&=", "="),
    ast.BitAnd: ("&=", "|="),
}
_TWINS = (
    ("append", "extend"), ("startswith", "endswith"), ("lstrip", "rstrip"), ("strip", "rstrip"),
    ("find", "rfind"), ("index", "find"), ("upper", "lower"), ("keys", "values"),
    ("items", "values"), ("partition", "rpartition"), ("split", "rsplit"), ("ljust", "rjust"),
    ("floor", "ceil"), ("isalpha", "isalnum"), ("isdigit", "isalnum"), ("group", "groups"),
    ("add", "discard"), ("remove", "discard"), ("insert", "append"), ("pop", "popleft"),
    ("min", "max"), ("any", "all"), ("int", "float"), ("sorted", "list"), ("list", "set"),
    ("sum", "max"), ("str", "repr"), ("isinstance", "issubclass"), ("getattr", "hasattr"),
    ("range", "enumerate"), ("zip", "map"), ("read", "readline"), ("get", "pop"),
)  # fmt: skip
_OTHERS: dict[str, list[str]] = {}
for _one, _other in _TWINS:
    _OTHERS.setdefault(_one, []).append(_other)
    _OTHERS.setdefault(_other, []).append(_one)


def _comparison(node: ast.Compare, function: Function, rng: Random) -> Iterator[Change]:
    operands = [node.left, *node.comparators]
    for op, left, right in zip(node.ops, operands, operands[1:], strict=False):
        old, *others = _COMPARE[type(op)]
        for piece in function.text.between(left, right, old, rng.choice(others)):
            yield (piece,)


def _arithmetic(node: ast.BinOp, function: Function, rng: Random) -> Iterator[Change]:
    old, *others = _BINARY.get(type(node.op), ("",))
    if others:
        for piece in function.text.between(node.left, node.right, old, rng.choice(others)):
            yield (piece,)


def _augmented(node: ast.AugAssign, function: Function, rng: Random) -> Iterator[Change]:
    old, *others = _AUGMENTED.get(type(node.op), ("",))
    if others:
        for piece in function.text.between(node.target, node.value, old, rng.choice(others)):
            yield (piece,)


def _boolean_operator(node: ast.BoolOp, function: Function, rng: Random) -> Iterator[Change]:
    old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    for left, right in pairwise(node.values):
        for piece in function.text.between(left, right, old, new):
            yield (piece,)


def _unary(node: ast.UnaryOp, function: Function, rng: Random) -> Iterator[Change]:
    if isinstance(node.op, ast.Not | ast.USub):
        yield (function.text.put(node, function.text.of(node.operand)),)


def _negated(
    node: ast.If | ast.IfExp | ast.While, function: Function, rng: Random
) -> Iterator[Change]:
    simple = ast.Name | ast.Call | ast.Attribute | ast.Subscript
    if isinstance(node.test, simple):
        start = function.text.start(node.test)
        yield ((start, start, "not "),)


def _numeric(node: ast.Constant, function: Function, rng: Random) -> Iterator[Change]:
    value = node.value
    if type(value) is int and value < 10**6:
        near = [value + 1, value - 1, *(range(3) if value <= 3 else ())]
        text = str(rng.choice([n for n in near if n != value and n >= 0]))
        yield (function.text.put(node, text),)


def _boolean(node: ast.Constant, function: Function, rng: Random) -> Iterator[Change]:
    if isinstance(node.value, bool):
        yield (function.text.put(node, str(not node.value)),)


def _off_by_one_call(node: ast.Call, function: Function, rng: Random) -> Iterator[Change]:
    name = called_name(node)
    if name == "range" and node.args:
        yield from _shifted(node.args[min(len(node.args), 2) - 1], function, rng)
    elif name == "len":
        yield from _shifted(node, function, rng)


def _off_by_one_index(node: ast.Subscript, function: Function, rng: Random) -> Iterator[Change]:
    index = node.slice
    if isinstance(index, ast.Slice):
        for bound in (index.lower, index.upper):
            if bound is not None:
                yield from _shifted(bound, function, rng)
    elif isinstance(index, ast.Name | ast.BinOp):
        yield from _shifted(index, function, rng)


def _shifted(node: ast.expr, function: Function, rng: Random) -> Iterator[Change]:
    """A bound one too low or too high; one that has ``+ 1`` or ``- 1`` may lose it."""
    text = function.text
    if isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant):
        if node.right.value == 1:
            yield ((text.end(node.left), text.end(node), ""),)
    elif isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript):
        end = text.end(node)
        yield ((end, end, f" {rng.choice('+-')} 1"),)


def _jump(node: ast.Break | ast.Continue, function: Function, rng: Random) -> Iterator[Change]:
    yield (function.text.put(node, "continue" if isinstance(node, ast.Break) else "break"),)


def _confusable(node: ast.Call, function: Function, rng: Random) -> Iterator[Change]:
    name = called_name(node)
    if others := _OTHERS.get(name):
        end = function.text.end(node.func)
        yield ((end - len(name), end, rng.choice(others)),)


REWRITES: tuple[tuple[str, tuple[type[ast.AST], ...], Rewrite], ...] = (
    ("comparison", (ast.Compare,), _comparison),
    ("arithmetic", (ast.BinOp,), _arithmetic),
    ("augmented", (ast.AugAssign,), _augmented),
    ("boolean_operator", (ast.BoolOp,), _boolean_operator),
    ("unary_operator", (ast.UnaryOp,), _unary),
    ("unary_operator", (ast.If, ast.IfExp, ast.While), _negated),
    ("numeric_literal", (ast.Constant,), _numeric),
    ("boolean_literal", (ast.Constant,), _boolean),
    ("off_by_one", (ast.Call,), _off_by_one_call),
    ("off_by_one", (ast.Subscript,), _off_by_one_index),
    ("jump", (ast.Break, ast.Continue), _jump),
    ("confusable_call", (ast.Call,), _confusable),
)
