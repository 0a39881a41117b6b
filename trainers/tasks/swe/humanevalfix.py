"""HumanEvalFix (Muennighoff et al. 2023, bigcode-project/octopack, MIT) to tasks for the sandbox.

The example of the docstring is the visible test, HumanEval's own check the hidden one. The fixed
programs are HumanEval's solutions, so that all of it is test, as HumanEval is.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from sandbox import ConversionError, Tests, from_check, tests_to_json
from trainers.errors import TaskError
from trainers.tasks.files import Record, check_fields
from trainers.tasks.swe.notes import Notes
from trainers.tasks.swe.quixbugs import program_of
from trainers.tasks.swe.shared import records_of
from trainers.tasks.swe.types import Judge, SWETask, TaskSplit

SOURCE = "humanevalfix"
FIELDS = {
    "task_id": str,
    "repo": str,
    "issue_text": str,
    "code_before": dict,
    "code_after": dict,
    "patch": str,
    "entry_point": str,
    "test_code": str,
    "example_test": str,
    "prompt": str,
}
NOT_VISIBLE = "have no visible test that can be read: only the hidden one judges them"


def read_humanevalfix(
    path: Path,
    *,
    split: TaskSplit = "test",
    limit: int | None = None,
    notes: Notes | None = None,
) -> Iterator[SWETask]:
    """Read the tasks of a file; a broken line is a note.

    Raises:
        TaskError: the file cannot be read.
    """
    notes = Notes() if notes is None else notes
    yield from islice(_tasks(path, split, notes), limit)


def _tasks(path: Path, split: TaskSplit, notes: Notes) -> Iterator[SWETask]:
    for where, one in records_of(path, notes):
        try:
            check_fields(one, FIELDS, where)
            program_of(one, "code_before", where)
            program_of(one, "code_after", where)
            yield _task(one, split, notes)
        except TaskError as error:
            notes.leave_out(str(error))
        except ConversionError as error:
            notes.leave_out(f"{where}: {error}")


def _task(one: Record, split: TaskSplit, notes: Notes) -> SWETask:
    hidden = _tests(one, "test_code")
    try:
        visible = tests_to_json(_tests(one, "example_test"))
    except ConversionError:
        notes.count(NOT_VISIBLE, one["task_id"])
        visible = None
    kept = ("entry_point", "bug_type", "failure_symptoms", "prompt")
    return SWETask(
        task_id=one["task_id"],
        repo=one["repo"],
        issue_text=one["issue_text"],
        code_before=one["code_before"],
        code_after=one["code_after"],
        source=SOURCE,
        split=split,
        patch=one["patch"],
        judge=Judge("program", visible=visible, hidden=tests_to_json(hidden)),
        metadata={name: one[name] for name in kept if one.get(name) is not None},
    )


def _tests(one: Record, field: str) -> Tests:
    prompt = one["prompt"] + "\n    pass\n" if one["prompt"].strip() else ""
    return from_check(one[field], one["entry_point"], prompt=prompt)
