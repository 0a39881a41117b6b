"""Variables that begin as a constant or an empty container, and that nothing changes after.

A running total that is never added to, a queue that nothing is put into: where such a variable is
read, a statement that changes it may be missing. A cheap look, scopes and order aside.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from trainers.code_trainer.edits.choice import Features
from trainers.code_trainer.edits.tree import children

_NONE: frozenset[str] = frozenset()
_CONTAINERS = frozenset({"dict", "list", "set", "bytearray", "deque", "Counter", "OrderedDict"})
_GROWS = frozenset(
    {"add", "append", "appendleft", "extend", "extendleft", "insert", "push", "put", "setdefault",
     "update"}
)  # fmt: skip


@dataclass(frozen=True)
class Changes:
    """What a tree does to variables.

    ``scalars`` and ``containers``: those that it sets to a constant, or to an empty container;
    ``again``: those that it sets otherwise, or twice; ``grown``: those that get an item, or that a
    call may change; ``loaded``: those that it reads; ``taken``: parameters.
    """

    scalars: frozenset[str] = _NONE
    containers: frozenset[str] = _NONE
    again: frozenset[str] = _NONE
    grown: frozenset[str] = _NONE
    loaded: frozenset[str] = _NONE
    taken: frozenset[str] = _NONE

    @classmethod
    def of(cls, tree: ast.AST) -> "Changes":
        """Read a tree; a part that trees share is read once."""
        known: Changes | None = tree.__dict__.get("_changes")
        if known is None:
            below = [child for step, child in children(tree) if not _is_target(tree, step[0])]
            known = _joined([_own(tree), *(cls.of(child) for child in below)])
            tree.__dict__["_changes"] = known
        return known

    @property
    def stale(self) -> frozenset[str]:
        """The variables that are read and stay as they began."""
        begun = self.scalars | (self.containers - self.grown)
        return (begun & self.loaded) - self.again - self.taken


def change(before: ast.AST, after: ast.AST) -> Features:
    """Return how many more variables are stale."""
    more = len(Changes.of(after).stale) - len(Changes.of(before).stale)
    return {"stale.variables": float(more)}


def _is_target(node: ast.AST, field: str) -> bool:
    return isinstance(node, ast.Assign) and field == "targets"


def _own(node: ast.AST) -> Changes:
    """Return what a node itself does, its children aside, but for an assignment's targets."""
    match node:
        case ast.Assign(targets=targets, value=value):
            return _joined(_set(target, value) for target in targets)
        case ast.Name(id=name, ctx=ast.Load()):
            return Changes(loaded=frozenset({name}))
        case ast.Name(id=name):  # of a loop, of `with`, of `del`
            return Changes(again=frozenset({name}))
        case ast.AugAssign(target=ast.Name(id=name)) | ast.NamedExpr(target=ast.Name(id=name)):
            return Changes(again=frozenset({name}))
        case ast.arg(arg=name):
            return Changes(taken=frozenset({name}))
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attribute), args=given):
            grown = _named(given) | ({name} if attribute in _GROWS else _NONE)
            return Changes(grown=frozenset(grown))
        case ast.Call(args=given):
            return Changes(grown=_named(given))
        case ast.Global(names=listed) | ast.Nonlocal(names=listed):
            return Changes(again=frozenset(listed))
        case ast.AugAssign(target=target):
            return Changes(grown=_base(target))
    return _EMPTY


def _set(target: ast.AST, value: ast.AST) -> Changes:
    match target, value:
        case ast.Name(id=name), _:
            if _is_constant(value):
                return Changes(scalars=frozenset({name}))
            if _is_empty(value):
                return Changes(containers=frozenset({name}))
            return Changes(again=frozenset({name}))
        case ast.Tuple(elts=targets) | ast.List(elts=targets), ast.Tuple(elts=values):
            if len(targets) == len(values):
                return _joined(_set(one, new) for one, new in zip(targets, values, strict=True))
    if isinstance(target, ast.Tuple | ast.List):
        return _joined(_set(one, target) for one in target.elts)  # to what is no constant
    if isinstance(target, ast.Starred):
        return _set(target.value, target)
    return _joined([Changes(grown=_base(target)), *(Changes.of(c) for _, c in children(target))])


def _is_constant(value: ast.AST) -> bool:
    if isinstance(value, ast.UnaryOp):
        value = value.operand
    return isinstance(value, ast.Constant)


def _is_empty(value: ast.AST) -> bool:
    match value:
        case ast.List(elts=[]) | ast.Dict(keys=[]):
            return True
        case ast.Call(func=ast.Name(id=name), args=[], keywords=[]):
            return name in _CONTAINERS
    return False


def _base(target: ast.AST) -> frozenset[str]:
    """Return the variable whose item or attribute is set."""
    while isinstance(target, ast.Subscript | ast.Attribute | ast.Starred):
        target = target.value
    return frozenset({target.id}) if isinstance(target, ast.Name) else _NONE


def _named(given: Iterable[ast.AST]) -> frozenset[str]:
    return frozenset(one.id for one in given if isinstance(one, ast.Name))


def _joined(parts: Iterable[Changes]) -> Changes:
    every = [one for one in parts if one is not _EMPTY]
    if len(every) == 1:
        return every[0]
    begun, again = set[str](), set[str]()
    for one in every:
        mine = one.scalars | one.containers
        again |= one.again | (begun & mine)
        begun |= mine
    return Changes(
        _NONE.union(*(one.scalars for one in every)),
        _NONE.union(*(one.containers for one in every)),
        frozenset(again),
        _NONE.union(*(one.grown for one in every)),
        _NONE.union(*(one.loaded for one in every)),
        _NONE.union(*(one.taken for one in every)),
    )


_EMPTY = Changes()
