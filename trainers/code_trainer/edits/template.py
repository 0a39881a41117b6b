"""Templates of syntax trees: trees with holes, how they match, how they are filled, their JSON."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from trainers.code_trainer.edits.tree import form


@dataclass(frozen=True)
class Literal:
    """A value of a field that is no node, as Python writes it."""

    text: str

    @cached_property
    def value(self) -> Any:
        """The value itself, one that cannot be changed."""
        return ast.literal_eval(self.text)


@dataclass(frozen=True)
class Hole:
    """A place that is left open.

    In what is looked for: ``e`` binds what stands there, equal where it comes twice; ``w`` takes
    anything of ``type``. In what is put there: ``e`` is what was bound; all others are slots, which
    ``slots.py`` fills: ``name``, ``const`` (of ``type``), ``builtin``, ``attr``, ``op`` (of
    ``type``), ``expr`` (an expression of the same function), ``sub`` (a part of what is replaced).
    ``type`` is a node type or a category, see :func:`category`.
    """

    kind: str
    index: int
    type: str = ""


@dataclass(frozen=True)
class Tree:
    """A node of a fixed type, with a value for each of its fields."""

    type: str
    fields: tuple[tuple[str, "Value"], ...] = ()


Value = Tree | Hole | Literal | tuple["Value", ...]
Bound = dict[int, ast.AST]
Filling = ast.AST | str


def category(node: ast.AST) -> str:
    """Return the kind of place that a node can stand in."""
    for kind in (ast.stmt, ast.expr, ast.operator, ast.cmpop, ast.boolop, ast.unaryop):
        if isinstance(node, kind):
            return kind.__name__
    return type(node).__name__


def match(template: Value, value: object, bound: Bound) -> bool:
    """Tell whether a template fits a node, or a field's value; ``bound`` gets what holes took."""
    if isinstance(template, Hole):
        return _match_hole(template, value, bound)
    if isinstance(template, Tree):
        return type(value).__name__ == template.type and all(
            match(below, getattr(value, name, None), bound) for name, below in template.fields
        )
    if isinstance(template, tuple):
        return (
            isinstance(value, list)
            and len(value) == len(template)
            and all(match(t, v, bound) for t, v in zip(template, value, strict=True))
        )
    return repr(value) == template.text


def _match_hole(hole: Hole, value: object, bound: Bound) -> bool:
    if isinstance(value, str):
        return hole.kind == "w" and hole.type == "str"
    if not isinstance(value, ast.AST):
        return False
    if hole.type not in (type(value).__name__, category(value)):
        return False
    if hole.kind == "w":
        return True
    known = bound.setdefault(hole.index, value)
    return known is value or form(known) == form(value)


def fill(template: Value, bound: Bound, slots: Mapping[int, Filling]) -> Any:
    """Return the tree that a template stands for, its holes filled."""
    if isinstance(template, Hole):
        return bound[template.index] if template.kind == "e" else slots[template.index]
    if isinstance(template, Tree):
        values = {name: fill(below, bound, slots) for name, below in template.fields}
        node: ast.AST = getattr(ast, template.type)(**values)
        if "ctx" in node._fields:
            node.ctx = ast.Load()  # type: ignore[attr-defined]
        return node
    if isinstance(template, tuple):
        return [fill(item, bound, slots) for item in template]
    return template.value


def holes(template: Value | None) -> list[Hole]:
    """Return the different holes of a template, in the order in which they stand in it."""
    found: dict[Hole, None] = {}
    stack: list[Value] = [] if template is None else [template]
    while stack:
        value = stack.pop()
        if isinstance(value, Hole):
            found[value] = None
        elif isinstance(value, Tree):
            stack.extend(below for _, below in reversed(value.fields))
        elif isinstance(value, tuple):
            stack.extend(reversed(value))
    return list(found)


def root(template: Value | None) -> str:
    """Name what a template begins with."""
    if isinstance(template, Tree):
        return template.type
    return f"{template.kind}:{template.type}" if isinstance(template, Hole) else ""


def weight(template: Value | None) -> int:
    """Count the nodes and holes of a template."""
    if template is None:
        return 0
    if isinstance(template, Tree):
        return 1 + sum(weight(below) for _, below in template.fields)
    if isinstance(template, tuple):
        return sum(weight(item) for item in template)
    return 1 if isinstance(template, Hole) else 0


def to_json(template: Value) -> Any:
    """Return a template as a JSON document."""
    if isinstance(template, Hole):
        return ["hole", template.kind, template.index, template.type]
    if isinstance(template, Tree):
        return ["tree", template.type, [[name, to_json(below)] for name, below in template.fields]]
    if isinstance(template, tuple):
        return ["list", [to_json(item) for item in template]]
    return ["literal", template.text]


def from_json(document: Any) -> Value:
    """Tell what :func:`to_json` made, back.

    Raises:
        ValueError: not a form that it makes.
    """
    match document:
        case ["hole", str(kind), int(index), str(kind_of)]:
            return Hole(kind, index, kind_of)
        case ["tree", str(name), list(below)] if hasattr(ast, name):
            return Tree(name, tuple((field, from_json(value)) for field, value in below))
        case ["list", list(items)]:
            return tuple(from_json(item) for item in items)
        case ["literal", str(text)]:
            return Literal(text)
    raise ValueError(f"no template: {str(document)[:80]}")


def renumbered(before: Value | None, after: Value | None) -> tuple[Value | None, Value | None]:
    """Return both sides with their holes numbered in the order in which they stand there."""
    numbers: dict[tuple[str, int], int] = {}
    for hole in [*holes(before), *holes(after)]:
        if hole.kind != "w":
            numbers.setdefault(_identity(hole), len(numbers))

    def visit(value: Value) -> Value:
        if isinstance(value, Hole) and value.kind != "w":
            return Hole(value.kind, numbers[_identity(value)], value.type)
        if isinstance(value, Tree):
            return Tree(value.type, tuple((name, visit(below)) for name, below in value.fields))
        return tuple(map(visit, value)) if isinstance(value, tuple) else value

    return (
        None if before is None else visit(before),
        None if after is None else visit(after),
    )


def _identity(hole: Hole) -> tuple[str, int]:
    return ("e" if hole.kind == "e" else "slot"), hole.index


_SHOWN = {  # an operator of each class that is not used otherwise when a template is shown
    "operator": (ast.MatMult, "@"),
    "cmpop": (ast.NotIn, "not in"),
    "boolop": (ast.Or, " or "),
    "unaryop": (ast.Invert, "~"),
}


def text(template: Value | None) -> str:
    """Return a template as a person reads it: Python with ``$`` names for the holes."""
    if template is None:
        return ""
    if isinstance(template, Hole) and template.type in _SHOWN:
        return f"${template.kind}:{template.type}"
    if isinstance(template, Tree) and not template.fields and hasattr(ast, template.type):
        return template.type
    shown = ast.unparse(ast.fix_missing_locations(_readable(template)))
    for hole in holes(template):
        if hole.kind == "op":
            mark = _SHOWN[hole.type][1]
            shown = shown.replace(mark, mark.replace(mark.strip(), f"$op{hole.index}"))
    return shown


_TYPED = ("w", "made", "const")


def _readable(value: Value) -> Any:
    if isinstance(value, Hole):
        name = f"${value.kind}{value.index}" + (
            f":{value.type}" if value.type and value.kind in _TYPED else ""
        )
        if value.kind in ("attr", "kwarg") or (value.type == "str" and value.kind == "w"):
            return name
        if value.type in _SHOWN:
            return _SHOWN[value.type][0]()
        if value.type == "arg":
            return ast.arg(name)
        if value.type == "keyword":
            return ast.keyword(value=ast.Name(name))
        if value.type == "comprehension":
            return ast.comprehension(ast.Name(name), ast.Name("$"), [], 0)
        return ast.Expr(ast.Name(name)) if value.type == "stmt" else ast.Name(name)
    if isinstance(value, Tree):
        made = getattr(ast, value.type)(**{name: _readable(below) for name, below in value.fields})
        return _text_in_text(made)
    if isinstance(value, tuple):
        return [_readable(item) for item in value]
    return value.value


def _text_in_text(node: ast.AST) -> ast.AST:
    """Make the holes of a formatted text constants: nothing else can be written inside of one."""
    if isinstance(node, ast.JoinedStr):
        node.values = [
            ast.Constant(part.id) if isinstance(part, ast.Name) else part for part in node.values
        ]
    elif isinstance(node, ast.FormattedValue) and isinstance(node.format_spec, ast.Name):
        node.format_spec = ast.JoinedStr([ast.Constant(node.format_spec.id)])
    return node
