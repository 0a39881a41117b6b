"""Which stored tasks a round works on: a share of new train tasks, and held-out ones that stay."""

import json
from collections.abc import Iterable
from hashlib import sha256
from itertools import chain, zip_longest

from memory.store import Store
from trainers.code_trainer.sources import by_hash, tasks_of
from trainers.code_trainer.versions import KIND, version_of_round
from trainers.stage import StageContext
from trainers.tasks.swe.types import TaskSplit

_HELD_OUT = "code.held_out"
# What a task asks: to repair a program (it has no repository), to find files in a tree, or neither,
# where the tree is only what the truth changes.
_KINDS = """
SELECT id, CASE WHEN trees IS NULL THEN 'program'
                WHEN json_extract(trees, '$.kind') = 'own' THEN 'own' ELSE 'tree' END AS kind
FROM swe_tasks WHERE split = ?
"""
_RECORDED = """
SELECT data FROM events WHERE kind = ? AND json_extract(data, '$.split') = ?
  AND json_extract(data, '$.most') = ? ORDER BY id DESC LIMIT 1
"""
_LEARNED = """
SELECT DISTINCT t.task_id FROM training_tasks t JOIN models m ON m.id = t.model_id
WHERE m.kind = ? AND m.checkpoint IS NOT NULL
"""


def taken_tasks(context: StageContext) -> list[str]:
    """The train tasks of this round: those of earlier versions, and a share of new ones.

    What the store gained since (``kent tasks mine``) comes in with the next shares. A round that
    was cut takes the same again.
    """
    store, most = context.store, context.settings.code.new_tasks_per_round
    made = version_of_round(context)
    if made is not None:
        return sorted(store.training_tasks(made.id), key=by_hash)
    known = {row["task_id"] for row in store.query(_LEARNED, (KIND,))}
    train = tasks_of(store, "train")
    new = [task_id for task_id in train if task_id not in known]
    kept = known | set(new[: most or len(new)])
    return [task_id for task_id in train if task_id in kept]


def held_out(context: StageContext, split: TaskSplit) -> list[str]:
    """The tasks of a split that every round is measured on, so that rounds can be compared.

    Programs and tasks with a repository's tree take turns, in the order of their hash; those whose
    tree is only what the truth changes ask for no file and come last. The choice is recorded and
    holds for as long as ``eval_tasks`` is the same and it is full.
    """
    store, most = context.store, context.settings.code.eval_tasks
    kinds = {row["id"]: row["kind"] for row in store.query(_KINDS, (split,))}
    recorded = _recorded(store, split, most)
    if recorded and len(recorded) == most and all(task_id in kinds for task_id in recorded):
        return recorded
    chosen = _in_turns(kinds)[: most or len(kinds)]
    if chosen != recorded:
        store.event(
            _HELD_OUT,
            f"rounds are measured on {len(chosen)} {split} tasks",
            round_id=context.round_id,
            stage_run_id=context.stage_run_id,
            data={"split": split, "most": most, "ids": chosen},
        )
    return chosen


def fingerprint(ids: Iterable[str]) -> str:
    """A name for a set of tasks: figures of different sets are not compared."""
    return sha256("\n".join(sorted(ids)).encode()).hexdigest()[:12]


def _recorded(store: Store, split: TaskSplit, most: int) -> list[str]:
    rows = store.query(_RECORDED, (_HELD_OUT, split, most))
    return [str(task_id) for task_id in json.loads(rows[0]["data"])["ids"]] if rows else []


def _in_turns(kinds: dict[str, str]) -> list[str]:
    ordered = sorted(kinds, key=by_hash)
    programs, trees, own = (
        [task_id for task_id in ordered if kinds[task_id] == kind]
        for kind in ("program", "tree", "own")
    )
    turns = chain.from_iterable(zip_longest(programs, trees))
    return [*(task_id for task_id in turns if task_id is not None), *own]
