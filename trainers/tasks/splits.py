"""The split rules, fixed by problem id; and subsets that keep their members when they grow."""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Literal

from memory.records import ProblemRow, Split
from trainers.config import TasksConfig

MbppSplit = Literal["official", "seed"]

RULES = {
    "official": "MBPP's own: 1-10 prompt, 11-510 test, 511-600 validation, 601-974 train",
    "seed": "1-500 train, less the 100 of them first by SHA-256 of their id: validation; "
    "501-974 test",
    "basics": "each six in order of id: by SHA-256 of the id 3 train, 1 validation, 2 test",
    "humaneval": "test",
    "apps": "test",
}
SEED_VALIDATION = 100
_BASICS_SIX: tuple[Split, ...] = ("train", "train", "train", "validation", "test", "test")


def mbpp_split(number: int, rule: MbppSplit) -> Split:
    """Give the split of MBPP's problem ``number`` (1 to 974)."""
    if rule == "seed":
        if number > 500:
            return "test"
        return "validation" if number in _seed_validation() else "train"
    if number <= 10:
        return "prompt"
    if number <= 510:
        return "test"
    return "validation" if number <= 600 else "train"


def basics_splits(ids: Iterable[str]) -> dict[str, Split]:
    """Give the splits of the built-in set: 3 to 1 to 2, unchanged when problems are appended."""
    ordered = sorted(ids)
    splits: dict[str, Split] = {}
    for start in range(0, len(ordered), len(_BASICS_SIX)):
        six = sorted(ordered[start : start + len(_BASICS_SIX)], key=by_hash)
        splits.update(zip(six, _BASICS_SIX, strict=False))
    return splits


@cache
def sanitized_ids() -> frozenset[int]:
    """Read the ids of MBPP's hand-checked subset: 427 problems, 120 + 43 + 257 + 7 by split.

    Source: ``mbpp/sanitized-mbpp.json`` in google-research/google-research (CC-BY-4.0).
    """
    text = files("trainers.tasks").joinpath("mbpp_sanitized.json").read_text("utf-8")
    return frozenset(json.loads(text)["ids"])


def subset(rows: Sequence[ProblemRow], config: TasksConfig) -> list[ProblemRow]:
    """Keep at most ``max_train``, ``max_validation`` and ``max_test`` problems of each source.

    The choice is by hash of the problem, so that a larger number keeps what a smaller one chose,
    and a stricter set keeps the same problems as the set it is made from.
    """
    limits = {
        "train": config.max_train,
        "validation": config.max_validation,
        "test": config.max_test,
    }
    kept: set[str] = set()
    for source in {row.source for row in rows}:
        for split in {row.split for row in rows}:
            group = [row for row in rows if row.source == source and row.split == split]
            group.sort(key=lambda row: by_hash(base_id(row)))
            kept.update(row.id for row in group[: limits.get(split) or len(group)])
    return [row for row in rows if row.id in kept]


def base_id(row: ProblemRow) -> str:
    """Name the problem that a stricter set's row is made from; a plain row names itself."""
    return str(row.metadata.get("base", row.id))


def by_hash(text: str) -> str:
    """Give a sort key that has nothing to do with what a problem is about."""
    return sha256(text.encode()).hexdigest()


@cache
def _seed_validation() -> frozenset[int]:
    ordered = sorted(range(1, 501), key=lambda number: by_hash(f"mbpp/{number}"))
    return frozenset(ordered[:SEED_VALIDATION])
