"""Says whether a change resolves a task, for those that can be judged here; each is run once."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from trainers.tasks.swe.judging import calibrations
from trainers.tasks.swe.judging.local import LocalJudge
from trainers.tasks.swe.types import SWETask


class Resolver:
    """Runs the tests of tasks that ``kent tasks judge`` found to work.

    Args:
        folder: with environments, releases and the list.
    """

    def __init__(self, folder: Path) -> None:
        self._judge = LocalJudge(folder)
        self._known = calibrations.read(folder)
        self._seen: dict[str, bool | None] = {}

    @property
    def judged(self) -> list[str]:
        """The ids of the tasks that can be judged."""
        return sorted(one.task_id for one in self._known.values() if one.judged)

    def __call__(self, task: SWETask, changed: Mapping[str, str | None]) -> bool | None:
        """Whether the tests pass with changed files; None: they cannot be run here."""
        known = self._known.get(task.task_id)
        if known is None or not known.judged:
            return None
        if not changed:
            return False  # its calibration saw the tests fail without a patch
        written = json.dumps(dict(changed), sort_keys=True)
        key = sha256(f"{task.task_id}\0{written}".encode()).hexdigest()
        if key not in self._seen:
            outcome = self._judge.judge(task, changed, known).outcome
            self._seen[key] = None if outcome == "not_judged" else outcome == "resolved"
        return self._seen[key]
