"""Right programs to count words of: this Python's library, fixed code, solutions of problems."""

import ast
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256

from trainers.code_trainer.sources import by_hash
from trainers.tasks.python_source import library_files, outer_functions, parse
from trainers.tasks.swe.paths import MAX_BYTES
from trainers.tasks.swe.types import SWETask

MOST_FIXED = 5_000
"""Functions of fixed files: more change little and take longer."""

LEAST_STATEMENTS = 2


def library_functions(most: int, check_stop: Callable[[], None]) -> list[str]:
    """Return functions of this Python's library, without their documentation and annotations.

    Args:
        most: how many; files are read until there are enough.
        check_stop: called between files; may raise.
    """
    root, names = library_files()
    found: set[str] = set()
    for name in sorted(names, key=by_hash):
        check_stop()
        if len(found) >= most:
            break
        raw = (root / name).read_bytes()
        if len(raw) <= MAX_BYTES:
            found.update(_functions(raw.decode("utf-8", "replace")))
    return _some(found, most)


def fixed_functions(tasks: Iterable[SWETask], most: int = MOST_FIXED) -> list[str]:
    """Return functions of the files that fixes of tasks left behind, until there are enough."""
    found: set[str] = set()
    for task in sorted(tasks, key=lambda one: by_hash(one.task_id)):
        if len(found) >= most:
            break
        for path, text in task.code_after.items():
            if path.endswith(".py"):
                found.update(_functions(text))
    return _some(found, most)


def _some(functions: Iterable[str], most: int) -> list[str]:
    different = sorted(set(functions), key=lambda code: sha256(code.encode()).digest())
    return different[:most]


def _functions(text: str) -> Iterator[str]:
    try:
        tree = parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return  # of another version of Python
    for node in outer_functions(tree):
        if len(node.body) >= LEAST_STATEMENTS or len(list(ast.walk(node))) > 30:
            yield ast.unparse(_plain(node))


def _plain(
    function: ast.FunctionDef | ast.AsyncFunctionDef,
) -> ast.FunctionDef | ast.AsyncFunctionDef:
    """Take what no repair is made of out of a function: documentation, annotations, decorators."""
    function.decorator_list = []
    for node in ast.walk(function):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
            for arg in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]:
                arg.annotation = None
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]
    return function
