"""A store in a fresh state directory, with problems of every split and a running stage run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from store_rows import problem

from memory.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "state" / "kent.db") as store:
        splits = {"p/train": "train", "p/val": "validation", "p/test": "test", "p/prompt": "prompt"}
        store.add_problems([problem(id, split) for id, split in splits.items()], "by hand")
        round_id = store.open_round(seed=1, config={"profile": "cpu"}, code_version="0").id
        assert store.begin_stage_run(round_id, "critic", pid=None, pid_start=None).id == 1
        yield store
