"""QuixBugs (Lin et al. 2017, data MIT) to tasks that the sandbox judges.

``io`` programs are judged in data mode. JSON has no tuples, and the set's own judge lets them do
for lists; so the fixed program runs once in the sandbox, and where it gives tuples within, they are
what is expected. A generator or tuple result counts as a list. ``code`` programs are judged in
split mode by the set's own test functions. All tests are visible: the set has no others. Cases
that the fixed programs take too long for are left out.
"""

import ast
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from sandbox import Call, Tests, tests_to_json
from trainers.errors import TaskError
from trainers.tasks.expected import Job, Recorded, record
from trainers.tasks.files import Record, check_fields
from trainers.tasks.python_source import parse
from trainers.tasks.swe.notes import Notes
from trainers.tasks.swe.shared import records_of
from trainers.tasks.swe.types import Judge, SWETask, TaskSplit

SOURCE = "quixbugs"
SLOW_S = 20.0
"""A case's CPU seconds. The set says itself which are slow; a slow machine costs it no task."""

FIELDS = {
    "task_id": str,
    "repo": str,
    "issue_text": str,
    "code_before": dict,
    "code_after": dict,
    "patch": str,
    "entry_point": str,
    "test_kind": str,
    "tests": list,
}
COMPARES = ("eq", "list", "approx")
_LISTED = """

def kent_listed(*arguments):
    return list({name}(*arguments))
"""

# The nodes of graphs and lists that some tests make are no plain data, and must be one object on
# both sides: there the test functions themselves run beside the candidate, and the tests' process
# sees how they end. That could be forged by a program that set out to; a repair does not.
_BESIDE = """
tests = {{{name!r}: {name}}}
{name}.__builtins__["exec"]({source!r}, tests)
for each in {names!r}:
    tests[each]()
"""


def read_quixbugs(
    path: Path,
    *,
    split: TaskSplit = "test",
    limit: int | None = None,
    notes: Notes | None = None,
) -> list[SWETask]:
    """Read the tasks of a file; those whose fixed program cannot be judged are left out, noted.

    Raises:
        TaskError: the file cannot be read.
        SandboxError: no program can be run here.
    """
    notes = Notes() if notes is None else notes
    records = dict(islice(_checked(path, notes), limit))
    jobs = [_job(one) for one in records.values() if one["test_kind"] == "io"]
    found = {one.key: one for one in record(jobs)}
    tasks = []
    for where, one in records.items():
        try:
            is_io = one["test_kind"] == "io"
            tests = _data_tests(one, found[one["task_id"]]) if is_io else _split_tests(one)
            tasks.append(_task(one, tests, split))
        except TaskError as error:
            notes.leave_out(f"{where}: {error}")
    return tasks


def _checked(path: Path, notes: Notes) -> Iterator[tuple[str, Record]]:
    for where, one in records_of(path, notes):
        try:
            check_fields(one, FIELDS, where)
            if one["test_kind"] not in ("io", "code"):
                raise TaskError(f"{where}: test_kind is io or code, not {one['test_kind']!r}")
            if one["test_kind"] == "io":
                _check_io(one, where)
            program_of(one, "code_before", where)
            program_of(one, "code_after", where)
        except TaskError as error:
            notes.leave_out(str(error))
            continue
        yield where, one


def _check_io(one: Record, where: str) -> None:
    if one.get("compare") not in COMPARES:
        raise TaskError(f"{where}: compare is one of {', '.join(COMPARES)}")
    for case in one["tests"]:
        if not isinstance(case, list) or len(case) != 2 or not isinstance(case[0], list):
            raise TaskError(f"{where}: a test is [arguments, expected]; correct the line")


def program_of(one: Record, field: str, where: str) -> str:
    """Give the text of the only file of a program's record.

    Raises:
        TaskError: it has not just one.
    """
    texts = list(one[field].values())
    if len(texts) != 1 or not isinstance(texts[0], str):
        raise TaskError(f"{where}: {field} is to have one program; correct the line")
    return texts[0]


def _job(one: Record) -> Job:
    name, code = one["entry_point"], program_of(one, "code_after", one["task_id"])
    inputs = [tuple(arguments) for arguments, _ in one["tests"]]
    if one["compare"] == "list":
        name, code = "kent_listed", code + _LISTED.format(name=name)
    return Job(one["task_id"], code, name, inputs, slow_s=SLOW_S)


def _data_tests(one: Record, found: Recorded) -> Tests:
    """Make the calls, each expecting what the fixed program gives, which is to be as stored."""
    if found.error or len(found.pairs) != len(one["tests"]):
        why = found.error or f"{found.dropped} of its cases give nothing that can be compared"
        raise TaskError(f"{one['task_id']}: its fixed program cannot be judged: {why}")
    calls = []
    for (arguments, value), (_, stored) in zip(found.pairs, one["tests"], strict=True):
        if one["compare"] == "approx":
            calls.append(_near(arguments, stored))
        elif _as_lists(value) != stored:
            raise TaskError(f"{one['task_id']}: its fixed program gives {value!r}, not {stored!r}")
        elif one["compare"] == "list" or isinstance(value, tuple):
            calls.append(Call(arguments, list(value), via="list"))
        else:
            calls.append(Call(arguments, value))
    return Tests("data", one["entry_point"], calls=tuple(calls), reason="QuixBugs's cases")


def _near(arguments: tuple[Any, ...], stored: Any) -> Call:
    """Within the last argument of what is stored, and not of the value's own size."""
    return Call(arguments, stored, compare="abs_lt", tolerance=float(arguments[-1]))


def _as_lists(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_as_lists(item) for item in value]
    if isinstance(value, dict):
        return {key: _as_lists(item) for key, item in value.items()}
    return value


def _split_tests(one: Record) -> Tests:
    names, source, entry = one["tests"], one.get("test_code"), one["entry_point"]
    if not isinstance(source, str) or not all(isinstance(n, str) for n in names):
        raise TaskError(f"{one['task_id']}: test_code and the names of its tests are wanted")
    try:
        makes_objects = any(isinstance(s, ast.ClassDef) for s in parse(source).body)
    except (SyntaxError, ValueError) as error:
        raise TaskError(f"{one['task_id']}: its test_code is no Python ({error})") from error
    if makes_objects:
        code = _BESIDE.format(name=entry, source=source, names=names)
    else:
        code = f"{source}\n\n" + "".join(f"{name}()\n" for name in names)
    return Tests("split", entry, test_code=code, reason="QuixBugs's test functions")


def _task(one: Record, tests: Tests, split: TaskSplit) -> SWETask:
    document = tests_to_json(tests)
    return SWETask(
        task_id=one["task_id"],
        repo=one["repo"],
        issue_text=one["issue_text"],
        code_before=one["code_before"],
        code_after=one["code_after"],
        source=SOURCE,
        split=split,
        base_commit=one.get("base_commit"),
        patch=one["patch"],
        judge=Judge("program", visible=document, hidden=document),
        metadata={"entry_point": one["entry_point"], "slow_tests": len(one.get("slow_tests", []))},
    )
