"""Words that programs may use whatever was mined: built-ins, methods, operators, constants."""

import ast
import builtins
import importlib
import inspect

from trainers.code_trainer.edits.program import Site

PLAIN_BUILTINS = [
    "abs", "all", "any", "bin", "bool", "chr", "dict", "divmod", "enumerate", "filter", "float",
    "frozenset", "int", "len", "list", "map", "max", "min", "ord", "pow", "range", "reversed",
    "round", "set", "sorted", "str", "sum", "tuple", "zip",
]  # fmt: skip
"""Built-ins that only compute."""

PLAIN_METHODS = tuple(
    name
    for kind in (str, list, dict, set)
    for name in dir(kind)
    if name[0] != "_" and not name.startswith("format")
)
_PURE_MODULES = frozenset(
    ["math", "string", "itertools", "functools", "operator", "heapq", "bisect", "statistics"]
)
OPERATOR_CHOICES: dict[str, tuple[type[ast.AST], ...]] = {
    "operator": (
        ast.Add,
        ast.Sub,
        ast.Mult,
        ast.Div,
        ast.FloorDiv,
        ast.Mod,
        ast.Pow,
        ast.BitAnd,
        ast.BitOr,
        ast.BitXor,
        ast.LShift,
        ast.RShift,
    ),
    "cmpop": (
        ast.Eq,
        ast.NotEq,
        ast.Lt,
        ast.LtE,
        ast.Gt,
        ast.GtE,
        ast.Is,
        ast.IsNot,
        ast.In,
        ast.NotIn,
    ),
    "boolop": (ast.And, ast.Or),
    "unaryop": (ast.Not, ast.USub, ast.Invert, ast.UAdd),
}
SMALL: dict[str, tuple[object, ...]] = {
    "int": (0, 1, 2, -1, 3, 10),
    "float": (0.0, 1.0, 0.5, 2.0),
    "str": ("", " ", ",", "\n"),
    "bool": (True, False),
}


def members(site: Site) -> list[str]:
    """Return the names of the module whose attribute a place reads; none for other things."""
    value = site.node.value if isinstance(site.node, ast.Attribute) else None
    if isinstance(value, ast.Name) and value.id in _PURE_MODULES:
        return [name for name in dir(importlib.import_module(value.id)) if name[0] != "_"]
    return []


def parameters(call: ast.AST | None) -> list[str]:
    """Return the parameters of the built-in that a call calls, that can be given by name."""
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        return []
    try:
        signature = inspect.signature(getattr(builtins, call.func.id))
    except (AttributeError, TypeError, ValueError):
        return []
    named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in signature.parameters.values() if p.kind in named]
