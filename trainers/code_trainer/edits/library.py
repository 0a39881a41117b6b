"""The patterns that were mined, task by task: how often, in which contexts, with which words."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from trainers.code_trainer.edits.abstraction import Mined, mine
from trainers.code_trainer.edits.pattern import Pattern
from trainers.errors import CheckpointError
from trainers.tasks.swe.types import SWETask

FORMAT = 1
MOST_OCCURRENCES = 200
"""Occurrences that one task may bring: a sweep over a code base is one idea many times."""


@dataclass(frozen=True)
class Occurrence:
    """A pattern in a task: the pattern's key, the parent's type and field, the node's type."""

    key: str
    context: str
    node: str
    fillings: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class Counts:
    """What a library says of one pattern: in how many tasks, and where."""

    tasks: int
    contexts: Counter[str]
    nodes: Counter[str]


@dataclass
class PatternLibrary:
    """Patterns by key, and what each task showed of them.

    A task's date is that of its base commit, in seconds since 1970, None where not known.
    """

    patterns: dict[str, Pattern] = field(default_factory=dict)
    tasks: dict[str, tuple[Occurrence, ...]] = field(default_factory=dict)
    dates: dict[str, float | None] = field(default_factory=dict)

    @classmethod
    def build(cls, tasks: Iterable[SWETask]) -> "PatternLibrary":
        """Mine all of the tasks; one that does not parse adds nothing."""
        library = cls()
        for task in tasks:
            library.add_task(task)
        return library

    def add_task(self, task: SWETask) -> list[Mined]:
        """Mine one task and count what it shows; its patterns."""
        found: list[Mined] = []
        for path, before in task.code_before.items():
            after = task.code_after.get(path)
            if after is None or not path.endswith(".py"):
                continue
            try:
                found += mine(before, after)
            except (SyntaxError, ValueError, RecursionError):
                continue  # of another version of Python
        self.add(task.task_id, task.base_date, found)
        return found

    def add(self, task_id: str, date: float | None, mined: Iterable[Mined]) -> None:
        """Count what a task shows; a task that is there already is counted anew."""
        rows = []
        for item in list(mined)[:MOST_OCCURRENCES]:
            self.patterns.setdefault(item.pattern.key, item.pattern)
            rows.append(Occurrence(item.pattern.key, item.context, item.node, item.fillings))
        self.tasks[task_id] = tuple(rows)
        self.dates[task_id] = date
        self._forget()

    def _forget(self) -> None:
        for name in ("counts", "words", "contexts", "nodes"):
            self.__dict__.pop(name, None)

    def only(self, task_ids: Iterable[str]) -> "PatternLibrary":
        """Return the library of some of the tasks."""
        wanted = {task_id for task_id in task_ids if task_id in self.tasks}
        tasks = {task_id: rows for task_id, rows in self.tasks.items() if task_id in wanted}
        keys = {row.key for rows in tasks.values() for row in rows}
        patterns = {key: p for key, p in self.patterns.items() if key in keys}
        return PatternLibrary(patterns, tasks, {t: self.dates[t] for t in tasks})

    def before(self, date: float) -> "PatternLibrary":
        """Return the library of the tasks whose base is older than a date."""
        return self.only(t for t, d in self.dates.items() if d is not None and d < date)

    def pruned(self, *, least: int = 2, most: int = 1500, small: int = 4) -> "PatternLibrary":
        """Return the library with the patterns that enough tasks show, at most ``most``.

        Enough are ``least``, or one for a pattern of at most ``small`` nodes and holes, which says
        so little that it can hardly be of one task only.

        The commonest stay; of equals those with the smaller key, so that it is the same everywhere.
        """
        shown = [
            key
            for key, counts in self.counts.items()
            if counts.tasks >= least or self.patterns[key].size <= small
        ]
        kept = set(sorted(shown, key=lambda key: (-self.counts[key].tasks, key))[:most])
        tasks = {t: tuple(r for r in rows if r.key in kept) for t, rows in self.tasks.items()}
        patterns = {key: p for key, p in self.patterns.items() if key in kept}
        return PatternLibrary(patterns, tasks, dict(self.dates))

    @cached_property
    def counts(self) -> dict[str, Counts]:
        """By pattern: in how many tasks, and in which contexts and nodes."""
        tasks, contexts, nodes = (
            Counter[str](),
            dict[str, Counter[str]](),
            dict[str, Counter[str]](),
        )
        for rows in self.tasks.values():
            tasks.update({row.key for row in rows})
            for key, context, node in {(row.key, row.context, row.node) for row in rows}:
                contexts.setdefault(key, Counter())[context] += 1
                nodes.setdefault(key, Counter())[node] += 1
        return {key: Counts(n, contexts[key], nodes[key]) for key, n in tasks.items()}

    @cached_property
    def contexts(self) -> Counter[str]:
        """In how many tasks a parent's type and field was edited."""
        return self._tally("context")

    @cached_property
    def nodes(self) -> Counter[str]:
        """In how many tasks a type of node was edited."""
        return self._tally("node")

    def _tally(self, name: str) -> Counter[str]:
        return Counter(
            value for rows in self.tasks.values() for value in {getattr(row, name) for row in rows}
        )

    @cached_property
    def words(self) -> Counter[tuple[str, str, str]]:
        """In how many tasks a slot was filled with a word: (slot kind, type, word)."""
        return Counter(
            filling
            for rows in self.tasks.values()
            for filling in {filling for row in rows for filling in row.fillings}
        )

    def examples(self, key: str, most: int = 5) -> list[str]:
        """Return tasks that show a pattern, latest first."""
        shown = [t for t, rows in self.tasks.items() if any(row.key == key for row in rows)]
        return sorted(shown, key=lambda t: (-(self.dates[t] or 0.0), t))[:most]

    def save(self, path: Path) -> None:
        """Write the library as JSON lines: a head, the patterns, the tasks."""
        with path.open("w") as file:
            for line in self._lines():
                file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def _lines(self) -> Iterator[Any]:
        yield {"format": FORMAT, "patterns": len(self.patterns), "tasks": len(self.tasks)}
        for key in sorted(self.patterns):
            yield self.patterns[key].to_json()
        for task_id, rows in self.tasks.items():
            body = [[row.key, row.context, row.node, row.fillings] for row in rows]
            yield {"task": task_id, "date": self.dates[task_id], "rows": body}

    @classmethod
    def load(cls, path: Path) -> "PatternLibrary":
        """Read what :meth:`save` wrote.

        Raises:
            CheckpointError: the file is missing, cut, or of another format.
        """
        try:
            with path.open() as file:
                head = json.loads(next(file))
                if head["format"] != FORMAT:
                    raise CheckpointError(
                        f"{path}: patterns of format {head['format']}, this one reads {FORMAT}; "
                        "mine them anew"
                    )
                lines = [json.loads(line) for line in file]
            library = cls()
            for document in lines[: head["patterns"]]:
                pattern = Pattern.from_json(document)
                library.patterns[pattern.key] = pattern
            for document in lines[head["patterns"] :]:
                library.dates[document["task"]] = document["date"]
                library.tasks[document["task"]] = tuple(map(_occurrence, document["rows"]))
            if len(library.tasks) != head["tasks"]:
                raise ValueError("it ends too early")
        except (OSError, ValueError, KeyError, StopIteration, TypeError) as error:
            raise CheckpointError(
                f"{path}: no readable patterns: {error}; mine them anew"
            ) from error
        return library


def _occurrence(row: list[Any]) -> Occurrence:
    key, context, node, fillings = row
    return Occurrence(key, context, node, tuple(tuple(filling) for filling in fillings))
