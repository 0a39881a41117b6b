"""The split rules: counts that the literature names, and subsets that only grow."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.records import ProblemRow
from trainers.config import TasksConfig
from trainers.tasks.splits import basics_splits, mbpp_split, sanitized_ids, subset


def test_mbpp_official_split():
    counts = Counter(mbpp_split(n, "official") for n in range(1, 975))
    assert counts == {"prompt": 10, "test": 500, "validation": 90, "train": 374}
    edges = {n: mbpp_split(n, "official") for n in (10, 11, 510, 511, 600, 601)}
    assert list(edges.values()) == ["prompt", "test", "test", "validation", "validation", "train"]


def test_mbpp_seed_split_takes_validation_from_train():
    counts = Counter(mbpp_split(n, "seed") for n in range(1, 975))
    assert counts == {"train": 400, "validation": 100, "test": 474}
    assert all(mbpp_split(n, "seed") == "test" for n in range(501, 975))


def test_the_sanitized_subset_has_its_published_counts():
    counts = Counter(mbpp_split(n, "official") for n in sanitized_ids())
    assert counts == {"train": 120, "validation": 43, "test": 257, "prompt": 7}


@settings(deadline=None)
@given(st.integers(1, 200))
def test_basics_split_is_half_a_sixth_a_third_and_stays_when_problems_are_appended(size):
    ids = [f"basics/{n:04d}" for n in range(1, size + 1)]
    splits = basics_splits(ids)
    assert set(splits) == set(ids)
    counts = Counter(splits.values())
    assert abs(counts["train"] - size / 2) <= 1.5
    assert abs(counts["validation"] - size / 6) <= 1
    whole = ids[: size - size % 6]
    more = basics_splits([*ids, *(f"basics/{n:04d}" for n in range(size + 1, size + 30))])
    assert all(more[name] == splits[name] for name in whole)


def test_basics_split_of_120():
    counts = Counter(basics_splits(f"basics/{n:04d}" for n in range(120)).values())
    assert counts == {"train": 60, "validation": 20, "test": 40}


def rows(numbers, source="mbpp"):
    return [
        ProblemRow(
            id=f"{source}/{n}",
            source=source,
            statement="",
            entry_point="f",
            split=mbpp_split(n, "official"),
            tests={},
            tests_hash="",
            metadata={"base": f"mbpp/{n}"},
        )
        for n in numbers
    ]


@settings(deadline=None)
@given(st.sets(st.integers(1, 974), min_size=1), st.integers(1, 60), st.integers(1, 60))
def test_a_larger_subset_keeps_a_smaller_one(numbers, small, more):
    def kept(size):
        limits = TasksConfig(max_train=size, max_validation=size, max_test=size)
        return {row.id for row in subset(rows(sorted(numbers)), limits)}

    assert kept(small) <= kept(small + more)
    held = Counter(row.split for row in rows(numbers) if row.id in kept(small))
    assert all(held[split] <= small for split in ("train", "validation", "test"))


def test_no_limit_keeps_all_in_order():
    given_rows = rows([900, 3, 200])
    assert subset(given_rows, TasksConfig()) == given_rows


@pytest.mark.parametrize("limit", [1, 7])
def test_a_stricter_set_keeps_the_same_problems(limit):
    both = rows(range(11, 511)) + rows(range(11, 511), source="mbppplus")
    kept = {row.id for row in subset(both, TasksConfig(max_test=limit))}
    assert len(kept) == 2 * limit
    assert {name.replace("mbppplus", "mbpp") for name in kept} == {
        name for name in kept if name.startswith("mbpp/")
    }
