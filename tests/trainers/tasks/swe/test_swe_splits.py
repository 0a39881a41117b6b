"""A split follows from what a task is: nothing of a month, or of a function, is on two sides."""

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from trainers.tasks.swe.splits import by_date, by_hash, shared_split

DATES = st.integers(0, 2**31).map(float)


@given(date=DATES, other=DATES)
def test_tasks_of_one_repository_and_month_share_a_split(date, other):
    def month(one):
        return datetime.fromtimestamp(one, UTC).strftime("%Y-%m")

    if month(date) == month(other):
        assert shared_split("a", "o/n", date) == shared_split("b", "o/n", other)
    assert shared_split("a", "o/n", None) == by_hash("a")


def test_the_shares_are_about_those_of_the_rule():
    splits = [by_hash(f"task {n}") for n in range(4000)]
    assert abs(splits.count("train") / 4000 - 0.70) < 0.03
    assert abs(splits.count("validation") / 4000 - 0.15) < 0.03


@given(st.lists(st.integers(0, 40).map(float), max_size=60))
def test_by_date_the_newest_are_test_and_one_date_is_in_one_split(dates):
    splits = by_date((str(n), date) for n, date in enumerate(dates))
    order = {"train": 0, "validation": 1, "test": 2}
    pairs = sorted((date, order[splits[str(n)]]) for n, date in enumerate(dates))
    assert [rank for _, rank in pairs] == sorted(rank for _, rank in pairs)
    assert len({date for date, _ in pairs}) == len(set(pairs))


def test_by_date_gives_the_shares_of_the_rule():
    splits = list(by_date((str(n), float(n)) for n in range(100)).values())
    assert splits == ["train"] * 70 + ["validation"] * 15 + ["test"] * 15
    assert list(by_date([("only", 1.0)]).values()) == ["train"]


def test_no_month_of_the_shared_tasks_is_on_two_sides(real_data):
    from trainers.tasks.swe.shared import read_swe

    seen = {}
    for task in read_swe(real_data / "swe" / "swe_tasks.jsonl.gz", limit=90):
        month = json.dumps([task.repo, f"{datetime.fromtimestamp(task.base_date, UTC):%Y-%m}"])
        assert seen.setdefault(month, task.split) == task.split
    assert set(seen.values()) == {"train", "validation", "test"}
