"""A program to repair: its text, its tree, and the places where an edit can go."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from trainers.code_trainer.edits.scope import Scopes
from trainers.code_trainer.edits.template import category
from trainers.code_trainer.edits.tree import (
    FUNCTIONS,
    SCOPES,
    Path,
    at,
    children,
    first_line,
    form,
    is_docstring,
    size,
    walk,
)
from trainers.code_trainer.edits.types import Types, types_in

_LISTS = {
    "Call": ("args", "keywords"),
    "BoolOp": ("values",),
    "List": ("elts",),
    "Tuple": ("elts",),
    "Set": ("elts",),
    "comprehension": ("ifs",),
}
_UNTOUCHED = frozenset({"annotation", "returns", "decorator_list", "type_params", "argtypes"})
_NO_CODE = (ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal)
_DEFINING = (*SCOPES, *_NO_CODE)


@dataclass(frozen=True)
class Site:
    """A node that can be replaced or deleted, or (``node`` None) a place where one can be inserted.

    ``path`` leads from the module to the node, or to the item before which it is inserted.
    ``function`` is the qualified name around it, ``function_path`` where that is; ``line`` its
    first line in the source; ``statement`` the innermost statement around it.
    """

    path: Path
    node: ast.AST | None
    parent: ast.AST
    function: str
    function_path: Path
    statement: ast.stmt | None
    line: int
    depth: int

    @property
    def field(self) -> str:
        """The parent's field that it stands in."""
        return self.path[-1][0]

    @property
    def context(self) -> str:
        """The parent's type and field."""
        return f"{type(self.parent).__name__}.{self.field}"

    @cached_property
    def names(self) -> int:
        """How many different names the node has."""
        found = walk(self.node) if self.node is not None else ()
        return len({node.id for _, node in found if isinstance(node, ast.Name)})

    @cached_property
    def category(self) -> str:
        """The kind of place."""
        if self.node is not None:
            return category(self.node)
        return "stmt" if isinstance(self.parent, ast.stmt | ast.mod | ast.excepthandler) else "expr"


class Program:
    """The text of a file and its tree.

    Args:
        source: the text.
        functions: qualified names that edits are confined to; None for all of the file.
        issue: the words of the task, constants can come from there.
        types: of names, where they are known from elsewhere, as from the arguments of tests.

    Raises:
        SyntaxError: the text is no Python of this version.
    """

    def __init__(
        self,
        source: str,
        *,
        functions: Iterable[str] | None = None,
        issue: str = "",
        types: Types | None = None,
    ) -> None:
        self.source = source
        self.issue = issue
        self._given = dict(types or {})
        self._types: dict[Path, Types] = {}
        self.tree = ast.parse(source)
        self.scopes = Scopes(self.tree)
        self._wanted = None if functions is None else frozenset(functions)
        self._encoded = source.encode()
        self._starts = [0]
        for line in self._encoded.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    @cached_property
    def sites(self) -> list[Site]:
        """All places for edits, in the order of the source."""
        return list(self._walk(self.tree, _Here()))

    def sites_in(self, function: str) -> list[Site]:
        """Return the places in a function and in what is defined there."""
        return [site for site in self.sites if _is_in(site.function, function)]

    def outermost(self, path: Path) -> Path:
        """Return where the outermost function on a path is; () where the path meets none."""
        node: ast.AST = self.tree
        for length in range(1, len(path)):
            node = at(node, path[length - 1 : length])
            if isinstance(node, FUNCTIONS):
                return path[:length]
        return ()

    def lines(self, node: ast.stmt) -> tuple[int, int]:
        """Return where the lines of a statement start and end, decorators included, in bytes."""
        after = (node.end_lineno or node.lineno) + 1
        return self.line_start(first_line(node)), self.line_start(after)

    def sites_at(self, path: Path) -> list[Site]:
        """Return the places on a path, innermost last."""
        return [site for site in self.sites if path[: len(site.path)] == site.path]

    def _walk(self, node: ast.AST, here: "_Here") -> Iterator[Site]:
        """Give the places below a node."""
        here = here.entered(node)
        if self._is_wanted(here.function):
            yield from _gaps(node, here)
        for step, child in children(node):
            if step[0] in _UNTOUCHED or is_docstring(child) or isinstance(child, _NO_CODE):
                continue
            wanted = self._is_wanted(here.function)
            if not wanted and not self._leads_on(child, here.function):
                continue
            below = replace(here, path=(*here.path, step))
            if wanted and not isinstance(child, SCOPES):
                yield below.site(child, node, child)
            yield from self._walk(child, below)

    def _leads_on(self, child: ast.AST, function: str) -> bool:
        """Tell whether a wanted function can be below a node of a function that is not wanted."""
        if not isinstance(child, SCOPES):
            return isinstance(child, ast.stmt | ast.excepthandler | ast.match_case)
        name = f"{function}.{child.name}".removeprefix(".")
        return self._is_wanted(name) or any(
            one.startswith(f"{name}.") for one in self._wanted or ()
        )

    def _is_wanted(self, function: str) -> bool:
        wanted = self._wanted
        return wanted is None or any(_is_in(function, name) for name in wanted)

    def span(self, node: ast.AST) -> tuple[int, int] | None:
        """Return where a node's text starts and ends, in bytes; None where it has no place."""
        line, end = getattr(node, "lineno", None), getattr(node, "end_lineno", None)
        if line is None or end is None:
            return None
        start = self._starts[line - 1] + node.col_offset  # type: ignore[attr-defined]
        return start, self._starts[end - 1] + node.end_col_offset  # type: ignore[attr-defined]

    def text(self, start: int, stop: int) -> str:
        """Return the source between two places in bytes."""
        return self._encoded[start:stop].decode()

    def line_start(self, line: int) -> int:
        """Return where a line starts, in bytes; lines count from 1."""
        return self._starts[min(line, len(self._starts)) - 1]

    @cached_property
    def end(self) -> int:
        """The length of the source in bytes."""
        return len(self._encoded)

    @cached_property
    def donors(self) -> dict[Path, list[ast.AST]]:
        """By function: its expressions that could stand elsewhere, each form once."""
        found: dict[Path, dict[str, ast.AST]] = {}
        for site in self.sites:
            node = site.node
            if isinstance(node, ast.expr) and 2 <= size(node) <= 12 and _loaded(node):
                found.setdefault(site.function_path, {}).setdefault(form(node), node)
        return {path: list(nodes.values()) for path, nodes in found.items()}

    def types(self, site: Site) -> Types:
        """Return the types of the variables of the function around a site, as far as known."""
        known = self._types.get(site.function_path)
        if known is None:
            known = {**self._given, **types_in(self.function_node(site))}
            self._types[site.function_path] = known
        return known

    def function_node(self, site: Site) -> ast.AST:
        """Return the function around a site; the module where there is none."""
        return at(self.tree, site.function_path)


def _is_in(function: str, other: str) -> bool:
    return function == other or function.startswith(f"{other}.")


def _loaded(node: ast.expr) -> bool:
    return isinstance(getattr(node, "ctx", ast.Load()), ast.Load) and not isinstance(
        node, ast.Name | ast.Constant | ast.Starred | ast.Slice
    )


@dataclass(frozen=True)
class _Here:
    """Where a walk through a program is."""

    path: Path = ()
    function: str = ""
    function_path: Path = ()
    statement: ast.stmt | None = None
    line: int = 1
    depth: int = 0

    def entered(self, node: ast.AST) -> "_Here":
        """Return the same for what is below a node."""
        function, function_path = self.function, self.function_path
        if isinstance(node, SCOPES):
            function = f"{function}.{node.name}".removeprefix(".")
            function_path = self.path if isinstance(node, FUNCTIONS) else function_path
        statement = node if isinstance(node, ast.stmt) else self.statement
        line = getattr(node, "lineno", self.line)
        depth = self.depth + isinstance(node, ast.For | ast.While | ast.comprehension)
        return _Here(self.path, function, function_path, statement, line, depth)

    def site(self, node: ast.AST | None, parent: ast.AST, near: ast.AST) -> Site:
        """Return the place here; ``near`` tells the line."""
        statement = near if isinstance(near, ast.stmt) else self.statement
        line = getattr(near, "lineno", self.line)
        return Site(
            self.path,
            node,
            parent,
            self.function,
            self.function_path,
            statement,
            line,
            self.depth,
        )


def _gaps(node: ast.AST, here: _Here) -> Iterator[Site]:
    """Give the places between the items of a node's lists."""
    names: tuple[str, ...] = _LISTS.get(type(node).__name__, ())
    if isinstance(node, ast.stmt | ast.mod | ast.excepthandler):
        names = ("body", "orelse", "finalbody")
    for name in names:
        items = getattr(node, name, None)
        if not isinstance(items, list) or (not items and names[0] == "body"):
            continue
        first = 1 if items and is_docstring(items[0]) else 0
        for index in range(first, len(items) + 1):
            near = items[min(index, len(items) - 1)] if items else node
            if isinstance(node, ast.Module | ast.ClassDef) and isinstance(near, _DEFINING):
                continue  # between definitions nothing is run that a repair could need
            yield replace(here, path=(*here.path, (name, index))).site(None, node, near)
