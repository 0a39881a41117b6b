"""Which tasks a round takes: a share of new train tasks, and held-out tasks that stay the same."""

from dataclasses import replace
from pathlib import Path

from code_rounds import NAMES, SETTINGS, context_in, off_by_one

from memory.store import Store
from trainers.code_trainer.shares import fingerprint, held_out, taken_tasks
from trainers.stage import StageContext
from trainers.tasks.swe.loading import to_row
from trainers.tasks.swe.trees import OwnTree


def settings(**changes):
    return SETTINGS.model_copy(update={"code": SETTINGS.code.model_copy(update=changes)})


class Somewhere:
    """A repository's tree, as far as the store sees it."""

    def origin(self) -> dict[str, str]:
        return {"kind": "git", "repository": "/r", "commit": "c"}


def add(store: Store, kind: str, names: list[str], split: str = "validation") -> None:
    trees = {"tree": Somewhere(), "own": OwnTree({"a.py": "x = 1\n"}), "program": None}
    tasks = [
        replace(off_by_one(name, 3, split), task_id=f"{kind}/{name}", tree=trees[kind])
        for name in names
    ]
    store.add_swe_tasks(to_row(task, "by hand") for task in tasks)


def kinds(ids: list[str]) -> list[str]:
    return [task_id.split("/")[0] for task_id in ids]


def finish_version(context: StageContext) -> None:
    store = context.store
    row = store.begin_model(
        "code", {}, generator_id=None, parent=None, stage_run_id=context.stage_run_id,
        code_version="0",
    )  # fmt: skip
    store.add_training_tasks(row.id, taken_tasks(context))
    store.complete_model(row.id, Path("checkpoints") / f"{row.id}.json", "0" * 64)


def test_a_round_takes_a_share_of_new_train_tasks_until_it_has_them_all(tmp_path):
    taken = []
    for _ in range(4):
        context = context_in(tmp_path, settings(new_tasks_per_round=3))
        taken.append(set(taken_tasks(context)))
        finish_version(context)
        assert set(taken_tasks(context)) == taken[-1]  # a cut round takes the same again
        context.store.end_stage_run(context.stage_run_id, "done", metrics={})
        context.store.close_round(context.round_id, "done")
    assert [len(ids) for ids in taken] == [3, 4, 4, 4]
    assert taken[0] < taken[1] == taken[3]


def test_all_are_taken_at_once_where_no_share_is_set(tmp_path):
    assert len(taken_tasks(context_in(tmp_path, settings(new_tasks_per_round=0)))) == 4


def test_a_full_choice_of_held_out_tasks_stays_when_tasks_come_in(tmp_path):
    context = context_in(tmp_path, settings(eval_tasks=3))
    first = held_out(context, "validation")
    add(context.store, "program", [f"more{n}" for n in range(9)])
    assert len(first) == 3
    assert held_out(context, "validation") == first


def test_a_choice_that_is_not_full_is_made_anew(tmp_path):
    context = context_in(tmp_path, settings(eval_tasks=6))
    first = held_out(context, "validation")
    add(context.store, "program", ["one", "two", "three"])
    second = held_out(context, "validation")
    assert (len(first), len(second)) == (4, 6)
    assert fingerprint(first) != fingerprint(second) == fingerprint(reversed(second))


def test_programs_and_repositories_take_turns_and_those_without_a_file_to_find_come_last(tmp_path):
    context = context_in(tmp_path, settings(eval_tasks=0))
    add(context.store, "own", list(NAMES))
    add(context.store, "tree", list(NAMES[:2]))
    found = kinds(held_out(context, "validation"))
    assert found == ["validation", "tree"] * 2 + ["validation"] * 2 + ["own"] * 8
