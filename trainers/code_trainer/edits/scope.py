"""Which names can be used at a place of a program, and what is known of each."""

import ast
import builtins
from dataclasses import dataclass

from trainers.code_trainer.edits.tree import FUNCTIONS, Path, at, walk

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True)
class Known:
    """A name: how it is bound (``param``, ``local``, ``loop``, ``inner``, ``function``, ``import``,
    ``global``, ``builtin``), on which line first, and how often the function reads it.
    """

    name: str
    kind: str
    line: int
    reads: int


class Scopes:
    """The names of a module, by function; innermost comprehensions and lambdas see their own."""

    def __init__(self, module: ast.Module) -> None:
        self._module = module
        self._globals = _bound(module.body)
        self._functions: dict[int, dict[str, Known]] = {}

    def visible(self, path: Path) -> dict[str, Known]:
        """Return the names that can be read where a path leads, by name."""
        names = dict(self._globals)
        node: ast.AST = self._module
        for depth in range(len(path) + 1):
            if depth:
                try:
                    node = at(node, (path[depth - 1],))
                except LookupError:  # after the last item of a list
                    break
            inside = depth < len(path) and path[depth][0] not in ("decorator_list", "returns")
            if isinstance(node, FUNCTIONS) and inside and path[depth][0] != "args":
                names.update(self._function(node))
            elif isinstance(node, _COMPREHENSIONS) and inside:
                names.update(_comprehension(node, path[depth]))
            elif isinstance(node, ast.Lambda) and inside and path[depth][0] == "body":
                names.update(_parameters(node.args, "inner"))
        return names

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, Known]:
        known = self._functions.get(id(node))
        if known is None:
            reads = _reads(node)
            known = _parameters(node.args, "param") | _bound(node.body)
            known = {
                name: Known(name, item.kind, item.line, reads.get(name, 0))
                for name, item in known.items()
            }
            self._functions[id(node)] = known
        return known


def builtin(name: str) -> Known | None:
    """Return what is known of a built-in; None where there is none."""
    return Known(name, "builtin", 0, 0) if hasattr(builtins, name) else None


def _reads(node: ast.AST) -> dict[str, int]:
    counts: dict[str, int] = {}
    for _, child in walk(node):
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Load):
            counts[child.id] = counts.get(child.id, 0) + 1
    return counts


def _parameters(arguments: ast.arguments, kind: str) -> dict[str, Known]:
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
    return {a.arg: Known(a.arg, kind, a.lineno, 0) for a in every}


def _comprehension(node: ast.AST, step: tuple[str, int | None]) -> dict[str, Known]:
    """Return what the generators of a comprehension bind; the first iterable sees none of it."""
    generators: list[ast.comprehension] = node.generators  # type: ignore[attr-defined]
    if step[0] == "generators" and step[1] is not None:
        # A later iterable sees the targets before it, an own condition its own target too: the
        # names of the generator itself are given, and compiling tells nothing; running does.
        generators = generators[: step[1] + 1]
    return {
        name.id: Known(name.id, "inner", name.lineno, 1)
        for generator in generators
        for _, name in walk(generator.target)
        if isinstance(name, ast.Name)
    }


def _bound(body: list[ast.stmt]) -> dict[str, Known]:
    """Return the names that statements bind in their own scope, with the first line of each."""
    found: dict[str, Known] = {}

    def note(name: str, kind: str, line: int) -> None:
        found.setdefault(name, Known(name, kind, line, 0))

    def visit(node: ast.AST, kind: str) -> None:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            note(node.name, "function", node.lineno)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                note((alias.asname or alias.name).split(".")[0], "import", node.lineno)
        elif isinstance(node, ast.For | ast.AsyncFor):
            visit(node.target, "loop")
            for part in (node.iter, *node.body, *node.orelse):
                visit(part, "local")
        elif isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                note(node.id, kind, node.lineno)
        elif not isinstance(node, (*_COMPREHENSIONS, ast.Lambda)):
            if isinstance(node, ast.ExceptHandler) and node.name:
                note(node.name, "local", node.lineno)
            for child in ast.iter_child_nodes(node):
                visit(child, kind)

    for statement in body:
        visit(statement, "local")
    return found
