"""Cheap facts that stand beside a sample's hidden states: length, log-probability, syntax."""

import ast
import math
import warnings

from torch import Tensor, tensor

_LOOPS = (ast.For, ast.While, ast.AsyncFor)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

NAMES = (
    "mean_logprob",
    "log_tokens",
    "log_lines",
    "parses",
    "defines_entry_point",
    "functions",
    "loops",
    "comprehensions",
    "branches",
    "returns",
    "imports",
    "calls_itself",
    "log_nodes",
)


def scalars(code: str, entry_point: str, tokens: int, logprob: float | None) -> Tensor:
    """(len(NAMES),) float32; NaN where a fact is unknown (no log-probability, no parse)."""
    mean_logprob = math.nan if logprob is None else logprob / max(tokens, 1)
    head = [mean_logprob, math.log1p(tokens), math.log1p(code.count("\n") + 1)]
    return tensor(head + _syntax(code, entry_point))


def _syntax(code: str, entry_point: str) -> list[float]:
    tree = _parse(code)
    if tree is None:
        return [0.0] + [math.nan] * 9
    nodes = list(ast.walk(tree))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
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
    names = {function.name for function in functions}
    return [
        1.0,
        float(entry_point in names),
        float(len(functions)),
        *map(float, counts),
        float(imports),
        float(entry_point in calls),
        math.log1p(len(nodes)),
    ]


def _parse(code: str) -> ast.Module | None:
    """Parse a program; None where it has no tree: the text is untrusted and may be anything."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the program's, such as an invalid escape
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
