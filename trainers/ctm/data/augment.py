"""The same program written otherwise: local variables renamed, quotes of literals exchanged."""

import ast
from random import Random

from trainers.ctm.data.lexemes import is_string
from trainers.ctm.data.operators.function import Function
from trainers.ctm.data.program import Program
from trainers.ctm.data.validate import folded

_NAMES = (
    "item value key index count total result data node left right start end size limit current "
    "other name path text line lines row col i j k n x y z a b c tmp out acc flag seen stack queue"
)
_NAME_POOL = tuple(_NAMES.split())
_SPYING = frozenset({"locals", "vars", "eval", "exec", "globals", "dir"})
_SCOPES = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef),
    *(ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp),
)
_MOST = 3  # variables that are renamed at once


def augmented(code: str, rng: Random) -> str:
    """The function with some local variables renamed, or with other quotes."""
    return renamed(code, rng) if rng.random() < 0.8 else requoted(code)


def renamed(code: str, rng: Random) -> str:
    """The function with up to three local variables renamed wherever they are; it means the same.

    Parameters keep their names, since callers may use them, and so does what an f-string, a nested
    parameter, an import or a ``global`` mentions.
    """
    function = Function(code)
    used = {n.id for n in ast.walk(function.tree) if isinstance(n, ast.Name)}
    if used & _SPYING:
        return code
    candidates = sorted(_free_to_rename(function))
    fresh = [name for name in _NAME_POOL if name not in used and name not in code]
    if not candidates or not fresh:
        return code
    chosen = rng.sample(candidates, min(len(candidates), rng.randint(1, _MOST), len(fresh)))
    new = dict(zip(chosen, rng.sample(fresh, len(chosen)), strict=True))
    change = tuple(
        function.text.put(node, new[node.id])
        for node in function.nodes
        if isinstance(node, ast.Name) and node.id in new
    )
    after = function.changed(change)
    return after if folded(after) is not None else code


def requoted(code: str) -> str:
    """The function with the other quotes around its plain string literals."""
    program = Program.of(code)
    parts = []
    for lexeme in program.lexemes:
        text = lexeme.text
        if is_string(lexeme.value) and text[0] in "'\"" and text[:3] not in ("'''", '"""'):
            inner, other = text[1:-1], "'" if text[0] == '"' else '"'
            if not set(inner) & {"'", '"', "\\"}:
                text = other + inner + other
        parts.append(lexeme.gap + text)
    after = "".join(parts)
    return after if folded(after) == folded(code) else code


def _free_to_rename(function: Function) -> set[str]:
    """Names that the outer function binds itself and that are nothing else anywhere in it."""
    root = function.tree.body[0]
    stored: set[str] = set()
    kept: set[str] = set()
    for node in ast.walk(function.tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            if _owner(node, function) is root:
                stored.add(node.id)
        elif isinstance(node, ast.arg):
            kept.add(node.arg)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            kept.update(node.names)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            kept.add(node.name)
        elif isinstance(node, ast.alias):
            kept.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            kept.add(node.name)
        elif isinstance(node, ast.JoinedStr):
            kept.update(n.id for n in ast.walk(node) if isinstance(n, ast.Name))
        elif isinstance(node, ast.MatchAs | ast.MatchStar | ast.MatchMapping):
            kept.update(str(v) for v in vars(node).values() if isinstance(v, str))
    return {name for name in stored - kept if not name.startswith("__")}


def _owner(node: ast.AST, function: Function) -> ast.AST | None:
    """The scope that a name is bound in."""
    _ = function.nodes  # gives every node its parent
    while hasattr(node, "parent"):
        node = node.parent
        if isinstance(node, _SCOPES):
            return node
    return None
