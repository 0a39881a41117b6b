"""A pattern at a place of a program: the candidates that it stands for, best filling first."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from trainers.code_trainer.edits.choice import Choice
from trainers.code_trainer.edits.pattern import BODY, Pattern
from trainers.code_trainer.edits.program import Program, Site
from trainers.code_trainer.edits.slots import Slots
from trainers.code_trainer.edits.splice import render
from trainers.code_trainer.edits.sums import best_sums
from trainers.code_trainer.edits.template import Bound, Hole, Tree, fill, match
from trainers.code_trainer.edits.tree import Path as NodePath
from trainers.code_trainer.edits.tree import at, changed, form, spliced, walk

MOST_FILLINGS = 600
"""Fillings of one pattern at one place."""


Fillings = tuple[tuple[Hole, Choice], ...]
"""What each slot of a pattern is filled with."""


@dataclass(frozen=True)
class Cell:
    """A pattern that fits at a place; ``bound`` is what its kept holes took there."""

    pattern: Pattern
    site: Site
    bound: Bound


@dataclass(frozen=True)
class Candidate:
    """A changed program.

    ``form`` is its normal form: candidates with one form are the same program. ``score`` is the
    logarithm of how likely it was taken to be, up to a constant.
    """

    program: Program
    cell: Cell
    fillings: Fillings
    tree: ast.Module
    score: float = 0.0

    @property
    def form(self) -> str:
        """The normal form of the whole program."""
        return form(self.tree)

    @property
    def key(self) -> tuple[NodePath, str]:
        """What tells it from the other candidates of its program, without a look at all of it.

        Changes of two functions never come to the same program.
        """
        around = self.program.outermost(self.cell.site.path)
        return around, form(at(self.tree, around))

    @property
    def changes(self) -> bool:
        """Whether it is another program than the one that it was made of."""
        around, changed_form = self.key
        return changed_form != form(at(self.program.tree, around))

    @cached_property
    def text(self) -> str:
        """The program's text.

        Raises:
            NoText: what was put in place cannot stand there.
        """
        return render(self.program, self.tree, self.cell.site.path)

    @property
    def evidence(self) -> dict[str, object]:
        """Where, what and from what, as plain data."""
        site = self.cell.site
        return {
            "pattern": self.cell.pattern.key,
            "operation": self.cell.pattern.operation,
            "edit": str(self.cell.pattern),
            "function": site.function,
            "line": site.line,
            "context": site.context,
            "slots": {f"{hole.kind}{hole.index}": choice.text for hole, choice in self.fillings},
        }


def fits(pattern: Pattern, site: Site) -> Cell | None:
    """Return the pattern at a place, None where it does not fit."""
    if pattern.kind == "insert":
        if site.node is not None or place_name(site) != pattern.where:
            return None
        return Cell(pattern, site, {})
    if site.node is None or (pattern.kind == "delete" and place_name(site) != pattern.where):
        return None
    bound: Bound = {}
    if pattern.before is None or not match(pattern.before, site.node, bound):
        return None
    return Cell(pattern, site, bound)


def place_name(site: Site) -> str:
    """Return the name of the list that a place is in, as patterns have it."""
    if site.field in ("body", "orelse", "finalbody") and site.path[-1][1] is not None:
        return BODY
    return site.context


def instantiate(
    pattern: Pattern, program: Program, site: Site | None, slots: Slots
) -> Iterator[Candidate]:
    """Give the candidates of a pattern at a place, or (None) at all places in their order.

    Only names in scope are used. What cannot be written as Python is found when the text is asked
    for.
    """
    for place in program.sites if site is None else [site]:
        cell = fits(pattern, place)
        if cell is not None:
            lists = [
                [(0.0, c) for c in slots.choices(place, hole, hole == pattern.after)]
                for hole in pattern.slots
            ]
            for score, fillings in filled(cell, lists):
                made = candidate(program, cell, fillings, score)
                if made is not None:
                    yield made


Scored = Sequence[tuple[float, Choice]]
"""The choices for one slot with their scores, best first."""


def filled(cell: Cell, lists: Sequence[Scored]) -> Iterator[tuple[float, Fillings]]:
    """Give the fillings of a cell's slots, those with the best sum of scores first."""
    if not all(lists):
        return
    for score, chosen in islice(best_sums(lists), MOST_FILLINGS):
        yield score, tuple(zip(cell.pattern.slots, chosen, strict=True))


def candidate(program: Program, cell: Cell, fillings: Fillings, score: float) -> Candidate | None:
    """Return the changed program; None where nothing changes, or nothing sensible comes out."""
    path, pattern = cell.site.path, cell.pattern
    new = None
    if pattern.after is not None:
        new = fill(pattern.after, cell.bound, {hole.index: c.value for hole, c in fillings})
        if _senseless(new, pattern.after):
            return None
    if pattern.kind == "replace":
        old = cell.site.node
        if new is None or old is None or form(new) == form(old) or not _can_stand(new, old):
            return None
        tree = changed(program.tree, path, lambda node: new)
    else:
        tree = _relisted(program, cell, new)
    return Candidate(program, cell, fillings, tree, score)  # type: ignore[arg-type]


def _can_stand(new: ast.AST, old: ast.AST) -> bool:
    """Tell whether a node can be assigned to where another was."""
    if isinstance(getattr(old, "ctx", None), ast.Store | ast.Del):
        return isinstance(new, ast.Name | ast.Attribute | ast.Subscript | ast.Tuple | ast.List)
    return True


def _relisted(program: Program, cell: Cell, new: ast.AST | None) -> ast.AST:
    """Return the tree with an item more or less in a list."""
    (name, index), parent = cell.site.path[-1], cell.site.path[:-1]
    place = index or 0

    def change(node: ast.AST) -> ast.AST:
        if new is not None:
            return spliced(node, name, place, place, [new])
        only = len(getattr(node, name)) == 1 and name == "body"
        return spliced(node, name, place, place + 1, [ast.Pass()] if only else [])

    return changed(program.tree, parent, change)


def _senseless(new: ast.AST, after: object) -> bool:
    """Tell whether what a pattern made compares, subtracts or joins a thing with itself."""
    if not isinstance(after, Tree):
        return False
    for _, node in walk(new):
        match node:
            case ast.BinOp(
                left=left, op=ast.Sub() | ast.Div() | ast.FloorDiv() | ast.Mod(), right=right
            ):
                if form(left) == form(right):
                    return True
            case ast.Compare(left=left, comparators=[right]):
                if form(left) == form(right):
                    return True
            case ast.BoolOp(values=values):
                if len({form(value) for value in values}) < len(values):
                    return True
            case ast.Assign(targets=[target], value=value):
                if form(target) == form(value):
                    return True
    return False
