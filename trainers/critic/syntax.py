"""Parsing untrusted programs, and what a static look at them tells."""

import ast
import math
import warnings

from pyflakes.checker import Checker
from pyflakes.messages import UndefinedLocal, UndefinedName, UnusedVariable

_LOOPS = (ast.For, ast.While, ast.AsyncFor)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

NAMES = (
    "parses",
    "defines_entry_point",
    "takes_the_arguments",
    "undefined_names",
    "unused_variables",
    "functions",
    "loops",
    "comprehensions",
    "branches",
    "returns",
    "imports",
    "calls_itself",
    "log_nodes",
)


def parse(code: str) -> ast.Module | None:
    """Parse a program; None where it has no tree: the text is untrusted and may be anything."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the program's, such as an invalid escape
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def syntax_facts(tree: ast.Module | None, entry_point: str, arguments: int | None) -> list[float]:
    """(len(NAMES),) numbers; NaN where one is unknown.

    Args:
        tree: the program, None where it does not parse.
        entry_point: the function that is asked for.
        arguments: how many the shown test calls it with, None where none is shown.
    """
    if tree is None:
        return [0.0] + [math.nan] * (len(NAMES) - 1)
    nodes = list(ast.walk(tree))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    entry = next((f for f in functions if f.name == entry_point), None)
    calls = {
        node.func.id
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    counts = [
        sum(isinstance(node, kinds) for node in nodes)
        for kinds in (_LOOPS, _COMPREHENSIONS, (ast.If, ast.IfExp), ast.Return)
    ]
    imports = sum(isinstance(node, ast.Import | ast.ImportFrom) for node in nodes)
    undefined, unused = _flaws(tree)
    return [
        1.0,
        float(entry is not None),
        _takes(entry, arguments),
        undefined,
        unused,
        float(len(functions)),
        *map(float, counts),
        float(imports),
        float(entry_point in calls),
        math.log1p(len(nodes)),
    ]


def _takes(entry: ast.FunctionDef | None, arguments: int | None) -> float:
    """1 where the function can be called with so many positional arguments, 0 where it cannot."""
    if entry is None or arguments is None:
        return math.nan
    given = entry.args
    most = len(given.posonlyargs) + len(given.args)
    least = most - len(given.defaults)
    missing_keyword = any(default is None for default in given.kw_defaults)
    fits = least <= arguments and (arguments <= most or given.vararg is not None)
    return float(fits and not missing_keyword)


def _flaws(tree: ast.Module) -> tuple[float, float]:
    """Names that are used and nowhere bound; variables that are bound and not used."""
    try:
        messages = Checker(tree).messages
    except RecursionError:
        return math.nan, math.nan
    undefined = sum(isinstance(m, UndefinedName | UndefinedLocal) for m in messages)
    return float(undefined), float(sum(isinstance(m, UnusedVariable) for m in messages))
