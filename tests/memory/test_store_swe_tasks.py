"""SWE tasks are stored once, keep their split, and are read without all of them in memory."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory.errors import SplitGuardError, StoreError
from memory.store import Store
from memory.swe_tasks import READ_BATCH, WRITE_BATCH, SweTaskCount, SweTaskRow


def task(id: str, split: str = "train", **changes) -> SweTaskRow:
    row = SweTaskRow(
        id=id,
        source="swe",
        repo="owner/name",
        issue="It breaks.",
        split=split,
        rule="by hand",
        body={"code_before": {"a.py": "x = 1\n"}, "patch": ""},
        base_commit="c0ffee",
        base_date=1.5e9,
        trees={"kind": "shared", "folder": "/data"},
    )
    return replace(row, **changes)


def test_a_task_comes_back_as_it_was(store):
    row = task("t/1", issue="Zoë's \ud800 issue", body={"é": [1, None, {"x": "y" * 9999}]})
    plain = task("t/2", base_commit=None, base_date=None, trees=None)
    assert store.add_swe_tasks([row, plain]) == 2
    first, second = store.swe_tasks()
    assert first == replace(row, issue="Zoë's \\ud800 issue")
    assert second == plain


def test_the_same_again_changes_nothing_and_a_change_is_kept(store):
    rows = [task(f"t/{n}") for n in range(3)]
    assert store.add_swe_tasks(rows) == 3
    assert store.add_swe_tasks(rows) == 0
    changed = replace(rows[1], body={"patch": "new"}, trees=None)
    assert store.add_swe_tasks([rows[0], changed]) == 1
    assert list(store.swe_tasks(ids=["t/1"])) == [changed]


def test_a_task_never_changes_its_split(store):
    store.add_swe_tasks([task("t/1", "test")])
    moved = [task("t/0"), task("t/1", "train")]
    with pytest.raises(SplitGuardError, match=r"t/1 \(stored as test, now train\)"):
        store.add_swe_tasks(moved)
    assert [row.id for row in store.swe_tasks()] == ["t/1"]
    with pytest.raises(SplitGuardError, match=r"t/2 \(stored as train, now test\)"):
        store.add_swe_tasks([task("t/2", "train"), task("t/2", "test")])


def test_the_database_itself_refuses_what_the_methods_do_not_offer(store):
    store.add_swe_tasks([task("t/1", "test")])
    for statement in (
        "UPDATE swe_tasks SET split = 'train'",
        "DELETE FROM swe_tasks",
        "REPLACE INTO swe_tasks SELECT id, source, repo, base_commit, base_date, issue, 'train', "
        "rule, trees, body, imported_at FROM swe_tasks",
    ):
        with pytest.raises(SplitGuardError), store._write() as connection:
            connection.execute(statement)


def test_only_what_is_asked_for_comes(store):
    store.add_swe_tasks(
        [task("a/1"), task("a/2", "test"), task("b/1", source="mined"), task("b/2", "validation")]
    )

    def ids(**wanted):
        return [row.id for row in store.swe_tasks(**wanted)]

    assert ids(split="train") == ["a/1", "b/1"]
    assert ids(source="swe", split="test") == ["a/2"]
    assert ids(ids=["b/2", "a/1", "x"]) == ["a/1", "b/2"]
    assert ids(ids=[]) == []
    assert store.swe_splits(["a/2", "b/1", "x"]) == {"a/2": "test", "b/1": "train"}
    assert store.count_swe_tasks() == [
        SweTaskCount("mined", "train", 1),
        SweTaskCount("swe", "test", 1),
        SweTaskCount("swe", "train", 1),
        SweTaskCount("swe", "validation", 1),
    ]


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(count=st.integers(0, 2 * max(READ_BATCH, WRITE_BATCH) + 2))
def test_batches_lose_and_repeat_nothing(tmp_path_factory, count):
    ids = [f"t/{n:04}" for n in range(count)]
    with Store.open(tmp_path_factory.mktemp("state") / "kent.db") as store:
        assert store.add_swe_tasks(task(id) for id in reversed(ids)) == count
        assert [row.id for row in store.swe_tasks()] == ids


def test_rows_are_taken_and_given_one_batch_at_a_time(store):
    taken = []

    def endless():
        for number in range(10 * WRITE_BATCH):
            if number == 3 * WRITE_BATCH + 1:
                raise StoreError("the source broke")
            taken.append(number)
            yield task(f"t/{number:04}")

    with pytest.raises(StoreError, match="the source broke"):
        store.add_swe_tasks(endless())
    kept = store.query("SELECT count(*) AS n FROM swe_tasks")[0]["n"]
    assert kept == 3 * WRITE_BATCH  # whole batches, each committed when it was full
    rows = store.swe_tasks()
    assert next(rows).id == "t/0000"
    store.add_swe_tasks([task("t/9999")])  # a reader in the middle keeps no writer out
    assert [row.id for row in rows][-1] == "t/9999"


def test_a_damaged_body_is_told_with_its_task(store):
    store.add_swe_tasks([task("t/1")])
    with store._write() as connection:
        connection.execute("UPDATE swe_tasks SET body = x'00'")
    with pytest.raises(StoreError, match=r"t/1 is damaged .* `kent state verify`"):
        list(store.swe_tasks())
