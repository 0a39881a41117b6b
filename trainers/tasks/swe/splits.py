"""The split rules of SWE tasks: by repository and month, by id, by function, by date (design §6).

A base commit and those near it hold each other's code, so that tasks of one repository whose base
commits are of one month share a split, whichever file they come from. Test takes no base commit of
a month that train has.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256

from trainers.tasks.swe.types import TaskSplit

TRAIN, VALIDATION = 70, 85
"""Of 100: below the first train, below the second validation, the rest test."""

_OF_HASH = f"mod 100: below {TRAIN} train, below {VALIDATION} validation, else test"
SHARED_RULE = (
    "by SHA-256 of the repository and the month (UTC) of the base commit, of the task's id where "
    f"its date is not known, {_OF_HASH}"
)
INJECTED_RULE = f"by SHA-256 of the module and function, {_OF_HASH}"
DATE_RULE = (
    f"of one repository by date of the base commit: the newest {100 - VALIDATION} in 100 test, the "
    f"next {VALIDATION - TRAIN} validation, the rest train; what was stored before keeps its split"
)
TEST_RULE = "test, whole: a set to measure by"


def named_rule(split: TaskSplit) -> str:
    """Say that whoever imported a file chose the split."""
    return f"{split}, as named when it was imported"


def by_hash(key: str) -> TaskSplit:
    """Give the split that the hash of ``key`` falls into."""
    number = int.from_bytes(sha256(key.encode("utf-8", "backslashreplace")).digest()[:8]) % 100
    if number < TRAIN:
        return "train"
    return "validation" if number < VALIDATION else "test"


def shared_split(task_id: str, repo: str, base_date: float | None) -> TaskSplit:
    """Give the split of a task of a shared file; ``base_date`` in seconds since 1970."""
    if base_date is None:
        return by_hash(task_id)
    return by_hash(f"{repo}@{datetime.fromtimestamp(base_date, UTC):%Y-%m}")


def by_date(dates: Iterable[tuple[str, float]]) -> dict[str, TaskSplit]:
    """Give the splits of the tasks of one repository from pairs of id and base date.

    Shares are rounded down; tasks of one date fall together, into the later share.
    """
    pairs = list(dates)
    ordered = sorted(date for _, date in pairs)
    count = len(ordered)
    first_test = count - count * (100 - VALIDATION) // 100
    first_validation = first_test - count * (VALIDATION - TRAIN) // 100
    # Beyond the last: no date is as late.
    ends = [*ordered, float("inf")]
    test, validation = ends[first_test], ends[first_validation]
    return {
        task_id: "test" if date >= test else "validation" if date >= validation else "train"
        for task_id, date in pairs
    }
