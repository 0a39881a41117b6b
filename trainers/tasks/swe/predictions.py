"""Predictions in SWE-bench's official form: written, read, and scored on three levels."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from trainers.errors import TaskError
from trainers.tasks.swe.patching import apply_patch, parse_patch
from trainers.tasks.swe.types import SWETask

ID, MODEL, PATCH = "instance_id", "model_name_or_path", "model_patch"


@dataclass(frozen=True)
class Prediction:
    """What a model would change for a task, as a unified diff; "" for nothing."""

    task_id: str
    model: str
    patch: str


def write(predictions: Iterable[Prediction], path: Path) -> int:
    """Write JSON lines as the official harness reads them; how many."""
    lines = [
        json.dumps({ID: one.task_id, MODEL: one.model, PATCH: one.patch}) for one in predictions
    ]
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return len(lines)


def read(path: Path) -> list[Prediction]:
    """Read JSON lines, or a JSON list or object by id, as the official harness does.

    Raises:
        TaskError: it cannot be read, a record lacks a field, or a task is there twice.
    """
    try:
        text = path.read_text("utf-8")
        document = json.loads(text) if path.suffix == ".json" else None
        records = (
            [json.loads(line) for line in text.splitlines() if line.strip()]
            if document is None
            else list(document.values())
            if isinstance(document, dict)
            else document
        )
    except (OSError, ValueError) as error:
        raise TaskError(f"{path} holds no predictions: {error}") from error
    found: dict[str, Prediction] = {}
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict) or not isinstance(record.get(ID), str):
            raise TaskError(f"{path}, prediction {number}: it has no {ID}")
        patch = record.get(PATCH)
        if patch is not None and not isinstance(patch, str):
            raise TaskError(f"{path}, {record[ID]}: {PATCH} is to be a text")
        if record[ID] in found:
            raise TaskError(f"{path}: {record[ID]} is there twice")
        model = str(record.get(MODEL, ""))
        found[record[ID]] = Prediction(record[ID], model, patch or "")
    return list(found.values())


def changed_texts(task: SWETask, patch: str) -> dict[str, str | None] | None:
    """Apply a patch to a task's tree: new texts by path, None for a file that goes.

    None: the patch is no diff, or does not apply; empty: it changes no code.
    """
    if not patch.strip():
        return {}
    try:
        before = {
            one.old: text
            for one in parse_patch(patch)
            if one.old is not None and (text := _text(task, one.old)) is not None
        }
        after = apply_patch(patch, before)
    except TaskError:
        return None
    return {path: text or None for path, text in after.items() if before.get(path) != text}


def after(task: SWETask, changed: Mapping[str, str | None]) -> dict[str, str]:
    """The texts to compare with the truth's: the files that it changes, and those changed here."""
    return {**task.code_before, **{path: text or "" for path, text in changed.items()}}


def _text(task: SWETask, path: str) -> str | None:
    if path in task.code_before:
        return task.code_before[path]
    if task.tree is None or path not in task.tree.files():
        return None
    return task.tree.text(path)
