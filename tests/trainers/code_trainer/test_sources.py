"""Tasks come into the store once: a reading that was cut is repeated, a split by hand is kept."""

from dataclasses import replace

import pytest
from code_rounds import SETTINGS, context_in

from trainers.code_trainer.sources import bring_in, tasks_of
from trainers.errors import TaskError
from trainers.stage import Stopped
from trainers.tasks.swe.injected import inject
from trainers.tasks.swe.loading import to_row


def settings(*sources: str):
    code = SETTINGS.code.model_copy(update={"sources": sources, "injected": 6})
    return SETTINGS.model_copy(update={"code": code})


def injected(context) -> list[str]:
    rows = context.store.query("SELECT id FROM swe_tasks WHERE id LIKE 'injected/%'")
    return sorted(row["id"] for row in rows)


def test_a_reading_that_was_cut_is_repeated_and_a_whole_one_is_not(tmp_path):
    context = context_in(tmp_path, settings("injected"))
    context.stop_requested = lambda: context.progress.done >= 3
    with pytest.raises(Stopped):
        bring_in(context)
    context.stop_requested = lambda: False
    assert any("tasks read" in line for line in bring_in(context))
    assert len(injected(context)) == 6
    assert bring_in(context) == []


def test_a_split_that_somebody_chose_is_kept(tmp_path):
    context = context_in(tmp_path, settings("injected"))
    (first, *_) = inject(count=6, seed=SETTINGS.seed, split=None)
    context.store.add_swe_tasks([to_row(replace(first, split="test"), "by hand")])
    bring_in(context)
    assert first.task_id in tasks_of(context.store, "test")


def test_a_source_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("KENT_DATA", raising=False)
    with pytest.raises(TaskError, match=r"code\.sources has swe, but there is no"):
        bring_in(context_in(tmp_path, settings("swe")))
