"""Looks for test items in what was trained on: the same or nearly the same text, code, or commit.

Problems are compared by statement and by program with everything that models learned from; SWE
tasks also by commit, by whether the fix already stands in a training task's files, and by time.
"""

import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from memory.store import Store
from memory.swe_tasks import SweTaskRow
from trainers.tasks.duplicates import (
    CODE_THRESHOLD,
    MIN_CODE_SHINGLES,
    STATEMENT_THRESHOLD,
    NearDuplicate,
    code_shingles,
    program_shingles,
    shared,
    statement_shingles,
    text_shingles,
)

FILES_AFTER = 0.8
"""The share of a fix's added lines that must stand in a training task's files."""

ISSUE_THRESHOLD = 0.6
_SHORT, _FEW = 12, 2
"""Lines that are shorter say nothing, and so do fixes with fewer lines than this."""

_LEARNED_PROGRAMS = """
SELECT DISTINCT x.problem_id AS problem, x.program_hash AS name, x.code AS code
FROM samples x WHERE x.id IN (
    SELECT sample_id FROM training_examples UNION SELECT broken_sample FROM repair_pairs
    UNION SELECT fixed_sample FROM repair_pairs)
"""

Kind = Literal["statement", "code", "program", "issue", "commit", "files_after"]


@dataclass(frozen=True)
class Pair:
    """Something trained on and a test item that share what they should not."""

    trained: str
    tested: str
    kind: Kind
    similarity: float
    exact: bool
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Contamination:
    """What was found. ``later``: by test task, how many training tasks of its repository have a
    later base commit; it is told, not flagged.
    """

    pairs: tuple[Pair, ...]
    later: dict[str, int]

    @property
    def flagged(self) -> list[str]:
        """The ids of the test items of any pair."""
        return sorted({pair.tested for pair in self.pairs})

    def to_json(self) -> dict[str, Any]:
        """As the benchmark's document has it."""
        counts: dict[str, int] = defaultdict(int)
        for pair in self.pairs:
            counts[pair.kind] += 1
        return {
            "pairs": [asdict(pair) for pair in self.pairs],
            "flagged": self.flagged,
            "by_kind": dict(counts),
            "tasks_with_later_training_tasks": sum(count > 0 for count in self.later.values()),
        }


def look(store: Store) -> Contamination:
    """Compare all that was trained on with all test items of a store."""
    later: dict[str, int] = {}
    pairs = [*_of_problems(store), *_of_tasks(store, later)]
    order = sorted(pairs, key=lambda pair: (pair.tested, pair.kind, pair.trained))
    return Contamination(tuple(order), later)


def _of_problems(store: Store) -> Iterator[Pair]:
    rows = store.problems()
    train = [row for row in rows if row.split == "train"]
    test = [row for row in rows if row.split == "test"]
    yield from _pairs(
        "statement",
        shared(
            {row.id: statement_shingles(row) for row in train},
            {row.id: statement_shingles(row) for row in test},
            "statement",
            threshold=STATEMENT_THRESHOLD,
        ),
    )
    tested = {row.id: code_shingles(row) for row in test}
    references = {row.id: code_shingles(row) for row in train}
    yield from _pairs("code", _alike(references, tested))
    programs = {
        f"{row['problem']}, sample {row['name'][:12]}": program_shingles(row["code"])
        for row in store.query(_LEARNED_PROGRAMS)
    }
    yield from _pairs("program", _alike(programs, tested))


def _alike(
    trained: dict[str, frozenset[str]], tested: dict[str, frozenset[str]]
) -> list[NearDuplicate]:
    return shared(trained, tested, "code", threshold=CODE_THRESHOLD, least=MIN_CODE_SHINGLES)


def _pairs(kind: Kind, found: Iterable[NearDuplicate]) -> Iterator[Pair]:
    for one in found:
        yield Pair(one.first, one.second, kind, one.similarity, one.exact, one.evidence)


def _of_tasks(store: Store, later: dict[str, int]) -> Iterator[Pair]:
    train = [_Fix.of(row) for row in store.swe_tasks(split="train")]
    test = [_Fix.of(row) for row in store.swe_tasks(split="test")]
    issues = shared(
        {one.id: text_shingles(one.issue) for one in train},
        {one.id: text_shingles(one.issue) for one in test},
        "statement",
        threshold=ISSUE_THRESHOLD,
        least=MIN_CODE_SHINGLES,
    )
    yield from _pairs("issue", issues)
    by_repo: defaultdict[str, list[_Fix]] = defaultdict(list)
    for one in train:
        by_repo[one.repo].append(one)
    for task in test:
        rivals = by_repo[task.repo]
        later[task.id] = sum(
            one.date is not None and task.date is not None and one.date > task.date
            for one in rivals
        )
        for one in rivals:
            yield from _between(one, task)


def _between(one: "_Fix", task: "_Fix") -> Iterator[Pair]:
    """What a training task and a test task of one repository share."""
    if one.commit is not None and one.commit == task.commit:
        yield Pair(one.id, task.id, "commit", 1.0, True, (one.commit,))
    if len(task.added) < _FEW:
        return
    for kept, told in ((one.before, "before the fix"), (one.added, "in the fix")):
        there = task.added & kept
        share = len(there) / len(task.added)
        if share >= FILES_AFTER:
            evidence = tuple(sorted(there, key=lambda line: (-len(line), line))[:5])
            yield Pair(one.id, task.id, "files_after", share, share == 1, (told, *evidence))
            return


@dataclass(frozen=True)
class _Fix:
    """A task as it is compared; ``added``: the fix's new lines, ``before``: its files' lines."""

    id: str
    repo: str
    commit: str | None
    date: float | None
    issue: str
    added: frozenset[str]
    before: frozenset[str]

    @classmethod
    def of(cls, row: SweTaskRow) -> "_Fix":
        before, after = row.body["code_before"], row.body["code_after"]
        added: set[str] = set()
        for path, text in after.items():
            old = before.get(path, "").splitlines()
            changes = difflib.unified_diff(old, text.splitlines(), n=0, lineterm="")
            added |= {line[1:].strip() for line in changes if line[:1] == "+" and line[:3] != "+++"}
        there = {line.strip() for text in before.values() for line in text.splitlines()}
        # What stood in the task's own files before is no sign of having seen the fix.
        told = frozenset(line for line in added - there if len(line) >= _SHORT)
        return cls(
            row.id, row.repo, row.base_commit, row.base_date, row.issue, told, frozenset(there)
        )
