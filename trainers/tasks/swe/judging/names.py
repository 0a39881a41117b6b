"""The names of a task's tests, as SWE-bench writes them for each repository, to pytest node ids."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence

from trainers.tasks.python_source import parse
from trainers.tasks.swe.judging.recipes import Recipe

_METHOD = re.compile(r"(?P<method>\w+) \((?P<dotted>[\w.]+)\)")
_FAILS_TO_PARSE = (SyntaxError, ValueError, RecursionError, MemoryError)


def node_ids(
    recipe: Recipe, names: Sequence[str], files: Mapping[str, str]
) -> dict[str, str | None]:
    """Give the node id of each name; None: no test of these files has it.

    Args:
        recipe: of the repository.
        names: such as ``test_x``, ``test_x (app.tests.Class)``, ``An issue's docstring.`` or
            ``tests/test_a.py::test_x``.
        files: text by path of the test files of the task.
    """
    if recipe.names == "node":
        return {name: name if name.partition("::")[0] in files else None for name in names}
    if recipe.names == "function":
        defined = {name: f"{path}::{name}" for path, text in files.items() for name in _top(text)}
        return {name: defined.get(name) for name in names}
    described = dict(_described(files))
    return {name: _of_unittest(recipe, name) or described.get(name) for name in names}


def _of_unittest(recipe: Recipe, name: str) -> str | None:
    """``test_x (module.Class)``; newer Pythons write ``test_x (module.Class.test_x)``."""
    told = _METHOD.fullmatch(name)
    if told is None:
        return None
    parts = told["dotted"].split(".")
    if parts[-1] == told["method"]:
        parts.pop()
    if len(parts) < 2:
        return None
    *module, owner = parts
    return f"{recipe.tests}/{'/'.join(module)}.py::{owner}::{told['method']}"


def _described(files: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What unittest prints for a test that has a docstring: its first line."""
    for path, text in files.items():
        try:
            tree = parse(text)
        except _FAILS_TO_PARSE:
            continue
        for owner in tree.body:
            if not isinstance(owner, ast.ClassDef):
                continue
            for one in owner.body:
                if isinstance(one, ast.FunctionDef) and (told := ast.get_docstring(one)):
                    yield told.strip().splitlines()[0].strip(), f"{path}::{owner.name}::{one.name}"


def _top(text: str) -> list[str]:
    try:
        body = parse(text).body
    except _FAILS_TO_PARSE:
        return []
    return [one.name for one in body if isinstance(one, ast.FunctionDef)]
