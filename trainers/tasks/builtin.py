"""The built-in set ``basics``: original problems for where no data set can be reached."""

from importlib.resources import as_file, files

from memory.records import ProblemRow, Split
from sandbox.convert import from_asserts
from sandbox.errors import ConversionError
from sandbox.tests_json import tests_hash, tests_to_json
from trainers.errors import TaskError
from trainers.tasks.files import Record, check_texts, read_records
from trainers.tasks.splits import basics_splits

FIELDS = {
    "id": str,
    "statement": str,
    "entry_point": str,
    "stub": str,
    "visible_test": str,
    "hidden_tests": list,
    "reference": str,
    "difficulty": int,
}


def rows() -> list[ProblemRow]:
    """Read the built-in problems."""
    with as_file(files("trainers.tasks").joinpath("basics.jsonl")) as path:
        records = read_records(path, FIELDS, key="id")
    splits = basics_splits(record["id"] for record in records)
    return [_row(record, splits) for record in records]


def _row(record: Record, splits: dict[str, Split]) -> ProblemRow:
    where = f"basics.jsonl, {record['id']}"
    check_texts(record, ("hidden_tests",), where)
    asserts = [record["visible_test"], *record["hidden_tests"]]
    try:
        tests = from_asserts(asserts, entry_point=record["entry_point"])
    except ConversionError as error:
        raise TaskError(f"{where}: {error}") from error
    return ProblemRow(
        id=record["id"],
        source="basics",
        statement=record["statement"],
        entry_point=record["entry_point"],
        split=splits[record["id"]],
        tests=tests_to_json(tests),
        tests_hash=tests_hash(tests),
        visible_tests=(record["visible_test"],),
        stub=record["stub"],
        reference=record["reference"],
        metadata={"difficulty": record["difficulty"]},
    )
