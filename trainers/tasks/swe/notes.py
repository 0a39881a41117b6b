"""What an import has to say: single lines, and counts of tasks that share a reason."""

from collections import defaultdict

NAMED = 3
"""How many tasks a note names before it only counts."""


class Notes:
    """Gathers what went wrong or was left out while tasks are read, so that the others go on."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._tasks: defaultdict[str, list[str]] = defaultdict(list)
        self.left_out = 0
        """How many tasks, or lines that should have been tasks, did not become one."""

    def say(self, line: str) -> None:
        """Keep a line, once."""
        if line not in self._lines:
            self._lines.append(line)

    def leave_out(self, line: str) -> None:
        """Keep a line that says why a task was left out."""
        self._lines.append(line)
        self.left_out += 1

    def count(self, reason: str, task_id: str) -> None:
        """Count a task under ``reason``: "have no tree beside the file", say."""
        self._tasks[reason].append(task_id)

    def lines(self) -> list[str]:
        """Everything, the counted reasons last."""
        return self._lines + [_counted(reason, ids) for reason, ids in self._tasks.items()]


def _counted(reason: str, ids: list[str]) -> str:
    named = ", ".join(ids[:NAMED]) + " ..." * (len(ids) > NAMED)
    return f"{len(ids)} tasks {reason} ({named})" if len(ids) > 1 else f"{named}: {reason}"
