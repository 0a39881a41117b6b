"""Which tasks can be judged on this machine: a line a task, kept as it is found out."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from trainers.tasks.swe.judging.local import Calibration, LocalJudge
from trainers.tasks.swe.types import SWETask

FOLDER = Path("swe")
"""Below the state directory: environments, releases, and the list."""

_LIST = "judged.jsonl"


def read(folder: Path) -> dict[str, Calibration]:
    """What is known, by task; of a task that was tried again the last."""
    path = folder / _LIST
    if not path.is_file():
        return {}
    lines = path.read_text("utf-8").splitlines()
    found = (Calibration.from_json(json.loads(line)) for line in lines if line.endswith("}"))
    return {one.task_id: one for one in found}


def calibrate(
    judge: LocalJudge,
    tasks: Iterable[SWETask],
    folder: Path,
    *,
    again: bool = False,
    tell: Callable[[Calibration], None] = lambda one: None,
) -> dict[str, Calibration]:
    """Find out of each task whether it can be judged; those that are known are passed over.

    Args:
        judge: with its environments and releases.
        tasks: of any repository.
        folder: where the list is kept.
        again: try those that could not be judged once more.
        tell: is told each as it is found out.
    """
    known = read(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LIST).open("a", encoding="utf-8") as file:
        for task in tasks:
            if task.task_id in known and (known[task.task_id].judged or not again):
                continue
            found = judge.calibrate(task)
            file.write(json.dumps(found.to_json()) + "\n")
            file.flush()
            known[task.task_id] = found
            tell(found)
    return known


def counts(known: Iterable[Calibration]) -> dict[str, dict[str, int]]:
    """How many of each repository were tried and can be judged."""
    table: dict[str, dict[str, int]] = {}
    for one in known:
        row = table.setdefault(one.repo, {"judged": 0, "tried": 0})
        row["tried"] += 1
        row["judged"] += one.judged
    return table
