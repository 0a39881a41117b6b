"""MBPP's records to problem rows (Austin et al. 2021, arXiv 2108.07732; data CC-BY-4.0)."""

import ast
from collections.abc import Iterable

from memory.records import ProblemRow
from sandbox.convert import from_asserts
from sandbox.errors import ConversionError
from sandbox.tests_json import tests_hash, tests_to_json
from trainers.errors import TaskError
from trainers.tasks.files import Record, check_texts
from trainers.tasks.python_source import parse
from trainers.tasks.splits import MbppSplit, mbpp_split, sanitized_ids

FIELDS = {
    "task_id": int,
    "text": str,
    "code": str,
    "test_list": list,
    "test_setup_code": str,
}


def rows(records: Iterable[Record], rule: MbppSplit, origin: str) -> list[ProblemRow]:
    """Turn MBPP's records into rows.

    Args:
        records: with at least ``FIELDS``.
        rule: which split.
        origin: where the records are from, for messages.
    """
    return [_row(record, rule, f"{origin}, task_id {record['task_id']}") for record in records]


def entry_point(tests: Iterable[str], reference: str, where: str) -> str:
    """Find the function that is asked for: of those that the reference defines, the tests call it.

    Raises:
        TaskError: the reference or a test is no Python, or no test calls what it defines.
    """
    try:
        defined = {node.name for node in parse(reference).body if isinstance(node, ast.FunctionDef)}
        called = [
            node.func.id
            for test in tests
            for node in ast.walk(parse(test))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        ]
    except (SyntaxError, ValueError, RecursionError) as error:
        raise TaskError(f"{where}: the reference or a test is no Python ({error})") from error
    found = next((name for name in called if name in defined), None)
    if found is None:
        raise TaskError(f"{where}: no test calls a function that the reference defines")
    return found


def _row(record: Record, rule: MbppSplit, where: str) -> ProblemRow:
    check_texts(record, ("test_list",), where)
    number = record["task_id"]
    if not 1 <= number <= 974:
        raise TaskError(f"{where}: MBPP's task_id lies between 1 and 974")
    if not record["test_list"]:
        raise TaskError(f"{where}: test_list is empty; a problem needs a test")
    name = entry_point(record["test_list"], record["code"], where)
    try:
        tests = from_asserts(
            record["test_list"], entry_point=name, setup_code=record["test_setup_code"]
        )
    except ConversionError as error:
        raise TaskError(f"{where}: {error}") from error
    return ProblemRow(
        id=f"mbpp/{number}",
        source="mbpp",
        statement=record["text"],
        entry_point=name,
        split=mbpp_split(number, rule),
        tests=tests_to_json(tests),
        tests_hash=tests_hash(tests),
        visible_tests=tuple(record["test_list"]),
        reference=record["code"],
        metadata={"sanitized": number in sanitized_ids()},
    )
