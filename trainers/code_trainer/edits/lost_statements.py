"""Functions that lost a statement: what is to be put back is a fix that no repository has to show.

Fixes of repositories seldom add a step of an algorithm, as a counter's or a queue's, while programs
that people break by hand lack one often.
"""

import ast
from collections.abc import Iterable, Iterator
from random import Random

from trainers.code_trainer.edits.abstraction import mine
from trainers.code_trainer.edits.library import PatternLibrary
from trainers.code_trainer.edits.tree import Path, at, changed, size, spliced, walk

MOST_NODES = 30
"""Of a statement that is taken out: a larger one is put back by no pattern."""

LOST = "lost/"
"""What the name of a lost statement begins with in a library."""

_TAKEN = (ast.Assign, ast.AugAssign, ast.Expr, ast.If, ast.Return, ast.Continue, ast.Break)
_BODIES = ("body", "orelse")


def without_a_statement(tree: ast.Module, random: Random) -> Iterator[tuple[Path, ast.Module]]:
    """Give a program without one of its statements, for each in random order, and where it was.

    Only statements in functions are taken, and none that a block is left empty by.
    """
    places = list(_places(tree))
    random.shuffle(places)
    for path in places:
        name, index = path[-1]
        assert index is not None
        yield path, _taken_out(tree, path, name, index)


def lost_library(
    functions: Iterable[str], each: int, random: Random, *, name: str = "solution"
) -> PatternLibrary:
    """Return the patterns that put back what functions have lost; each loss counts as a task.

    Args:
        functions: texts; those that do not parse are left out.
        each: statements that a function loses at most, one at a time.
        random: says which.
        name: of the functions, in the names of the losses.
    """
    library = PatternLibrary()
    for text in functions:
        try:
            tree = ast.parse(text)
            whole = ast.unparse(tree)
        except (SyntaxError, ValueError, RecursionError):
            continue
        found = 0
        for _, broken in without_a_statement(tree, random):
            if found == each:
                break
            mined = mine(ast.unparse(broken), whole)
            if mined:
                found += 1
                library.add(f"{LOST}{name}/{len(library.tasks)}", None, mined)
    return library


def _places(tree: ast.Module) -> Iterator[Path]:
    for path, node in walk(tree):
        inside = len(path) > 1 and path[-1][0] in _BODIES and path[-1][1] is not None
        if inside and isinstance(node, _TAKEN) and size(node) <= MOST_NODES:
            (name, _), parent = path[-1], at(tree, path[:-1])
            if name != "body" or len(parent.body) > 1:  # type: ignore[attr-defined]
                yield path


def _taken_out(tree: ast.Module, path: Path, name: str, index: int) -> ast.Module:
    made = changed(tree, path[:-1], lambda parent: spliced(parent, name, index, index + 1, []))
    assert isinstance(made, ast.Module)
    return made
