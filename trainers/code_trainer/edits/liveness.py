"""Names that a program takes or sets and never reads, and those that it reads and nothing sets."""

import ast
import builtins
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from trainers.code_trainer.edits.choice import Features
from trainers.code_trainer.edits.tree import children

_BUILT_IN = frozenset(dir(builtins)) | {"__name__", "__file__", "__class__"}
_TARGETS = ("target", "targets", "optional_vars")
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Names:
    """What a tree does with names, scopes aside: a cheap look, not a compiler's."""

    taken: frozenset[str] = _NONE
    stored: frozenset[str] = _NONE
    loaded: frozenset[str] = _NONE
    defined: frozenset[str] = _NONE

    @classmethod
    def of(cls, tree: ast.AST) -> "Names":
        """Read the names of a tree; a part that trees share is read once.

        A name is stored where its place says so, since an edit may put one there that was loaded.
        """
        known: Names | None = tree.__dict__.get("_names")
        if known is None:
            parts = [
                _stored(child) if step[0] in _TARGETS else cls.of(child)
                for step, child in children(tree)
            ]
            known = _joined([_own(tree), *parts])
            tree.__dict__["_names"] = known
        return known

    @property
    def unread_parameters(self) -> int:
        """The number of parameters that nothing reads."""
        return len(self.taken - self.loaded)

    @property
    def unread_variables(self) -> int:
        """The number of variables that are set and never read."""
        return len(self.stored - self.loaded - self.taken)

    @property
    def unset(self) -> int:
        """The number of names that are read and nowhere set."""
        return len(self.loaded - self.stored - self.taken - self.defined - _BUILT_IN)


def change(before: ast.AST, after: ast.AST) -> Features:
    """Return how many more names of each sort a change leaves dangling."""
    old, new = Names.of(before), Names.of(after)
    return {
        "unread.parameters": float(new.unread_parameters - old.unread_parameters),
        "unread.variables": float(new.unread_variables - old.unread_variables),
        "unset.names": float(new.unset - old.unset),
    }


def _own(node: ast.AST) -> Names:
    """Return what a node itself does with names, its children aside."""
    match node:
        case ast.Name(id=name):
            return Names(loaded=frozenset({name}))
        case ast.arg(arg=name):
            return Names(taken=frozenset({name}))
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return Names(defined=frozenset({name}))
        case ast.ExceptHandler(name=str(name)):
            return Names(defined=frozenset({name}))
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return Names(defined=frozenset(_imported(names)))
        case ast.Global(names=listed) | ast.Nonlocal(names=listed):
            return Names(defined=frozenset(listed))
    return _EMPTY


def _stored(target: ast.AST) -> Names:
    """Return the names of what is assigned to: a name, or several, is set; the rest is read."""
    match target:
        case ast.Name(id=name):
            return Names(stored=frozenset({name}))
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return _joined(_stored(item) for item in items)
        case ast.Starred(value=value):
            return _stored(value)
    return Names.of(target)


def _imported(names: Iterable[ast.alias]) -> Iterator[str]:
    for alias in names:
        yield (alias.asname or alias.name).partition(".")[0]


def _joined(parts: Iterable[Names]) -> Names:
    every = [names for names in parts if names is not _EMPTY]
    if len(every) == 1:
        return every[0]
    return Names(
        _NONE.union(*(names.taken for names in every)),
        _NONE.union(*(names.stored for names in every)),
        _NONE.union(*(names.loaded for names in every)),
        _NONE.union(*(names.defined for names in every)),
    )


_EMPTY = Names()
