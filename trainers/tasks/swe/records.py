"""Records of the shared format, and of SWE-bench's own, to tasks; a broken one says why it is."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from trainers.errors import TaskError
from trainers.tasks.files import Record
from trainers.tasks.python_source import parse
from trainers.tasks.swe.notes import Notes
from trainers.tasks.swe.patching import apply_patch
from trainers.tasks.swe.types import Judge, SWETask, Tree

_KEPT = ("sets", "version", "difficulty", "created_at", "test_patch_origin")
_Texts = dict[str, str]

UNAPPLIED = "have a patch that does not apply to their code; code_after stands"
UNPARSED = "change a file that this Python cannot parse"


class Sources(Protocol):
    """Where the code of a task that brings none is looked for."""

    def code_before(self, repo: str, commit: str, patch: str) -> tuple[_Texts, float]:
        """Give the texts of the files that a patch changes, and the date of the commit.

        Raises:
            TaskError: the repository or the commit is not there.
        """

    def tree(self, repo: str, commit: str) -> Tree | None:
        """Give the tree of a commit; None: it is not there."""


def task_of(record: Record, notes: Notes, sources: Sources | None = None) -> SWETask:
    """Make the task of a record, in no split yet and without a tree.

    Raises:
        TaskError: it lacks what makes a task (id, issue, code, change), or has it in a wrong form.
    """
    task_id = _text(record, "task_id", "instance_id")
    repo = _text(record, "repo")
    if not task_id or not repo:
        raise TaskError("it has no task_id or no repo; it is left out")
    issue = _text(record, "issue_text", "problem_statement")
    if not issue.strip():
        raise TaskError(f"{task_id}: its issue text is empty; it is left out")
    patch, commit = _text(record, "patch"), _text(record, "base_commit") or None
    date = _date(record.get("base_date"), task_id)
    before = _texts(record, "code_before", task_id)
    if before is None and sources is not None and commit and patch:
        before, date = sources.code_before(repo, commit, patch)
    if not before:
        raise TaskError(f"{task_id}: it has no code_before; a clone may have it (--clones)")
    after = _after(record, task_id, before, patch, notes)
    _note_unparsed(task_id, before, notes)
    sets = record.get("sets") or []
    return SWETask(
        task_id=task_id,
        repo=repo,
        issue_text=issue,
        code_before=before,
        code_after=after,
        source="mined" if "mined" in sets else "swe",
        base_commit=commit,
        base_date=date,
        patch=patch,
        judge=_judge(record, task_id),
        metadata={name: record[name] for name in _KEPT if record.get(name) is not None},
    )


def _text(record: Record, *names: str) -> str:
    """Give the first of these fields that is there; "" where none is.

    Raises:
        TaskError: it is no text.
    """
    for name in names:
        value = record.get(name)
        if value is not None:
            if not isinstance(value, str):
                raise TaskError(f"{name} is to be a text, not {type(value).__name__}")
            return value
    return ""


def _texts(record: Record, name: str, task_id: str) -> _Texts | None:
    value = record.get(name)
    if value is None:
        return None
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise TaskError(f"{task_id}: {name} is to be an object of texts by path")
    return dict(value)


def _date(value: Any, task_id: str) -> float | None:
    """Give a date in seconds since 1970, from such a number or from ISO 8601."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    try:
        date = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise TaskError(f"{task_id}: base_date is no date: {value!r}") from error
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def _after(record: Record, task_id: str, before: _Texts, patch: str, notes: Notes) -> _Texts:
    after = _texts(record, "code_after", task_id)
    try:
        patched = apply_patch(patch, before) if patch.strip() else None
    except TaskError as error:
        if after is None:
            raise TaskError(f"{task_id}: {error}, and it has no code_after") from error
        notes.count(UNAPPLIED, task_id)
        patched = None
    if after is None:
        after = patched
    if after is None or after == before:
        raise TaskError(f"{task_id}: nothing in it changes the code; it is left out")
    return after


def _note_unparsed(task_id: str, before: Mapping[str, str], notes: Notes) -> None:
    for path, text in before.items():
        if path.endswith(".py"):
            try:
                parse(text)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                notes.count(UNPARSED, task_id)
                return


def _judge(record: Record, task_id: str) -> Judge | None:
    test_patch = _text(record, "test_patch")
    fails, passes = (_names(record, n, task_id) for n in ("FAIL_TO_PASS", "PASS_TO_PASS"))
    if not test_patch and not fails:
        return None
    return Judge("project", test_patch=test_patch, fail_to_pass=fails, pass_to_pass=passes)


def _names(record: Record, field: str, task_id: str) -> tuple[str, ...]:
    """Read the names of tests: a list, or a list in JSON as the Hub's data set has it."""
    value = record.get(field)
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else []
        except ValueError as error:
            raise TaskError(f"{task_id}: {field} is no list of names") from error
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise TaskError(f"{task_id}: {field} is to be a list of names")
    return tuple(value)
