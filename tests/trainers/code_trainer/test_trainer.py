"""CodeTrainer by itself: what a task teaches is in the store, and rounds are told one by one."""

import pytest
from code_rounds import SETTINGS, fill, off_by_one

from memory.errors import SplitGuardError
from memory.hologram.container import HologramContainer
from memory.store import Store
from sandbox import Sandbox
from trainers.code_trainer.curriculum import CodeCurriculum
from trainers.code_trainer.edits.priors import Priors
from trainers.code_trainer.knowledge import MEMORY, recall
from trainers.code_trainer.pattern_store import remember_task
from trainers.code_trainer.sources import read_tasks, tasks_of
from trainers.code_trainer.trainer import CodeTrainer


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "kent.db") as opened:
        fill(opened)
        yield opened


def trainer_of(store, sandbox):
    for task in read_tasks(store, tasks_of(store, "train")):
        remember_task(store, task, None)
    knowledge = recall(store, HologramContainer(store, SETTINGS.code.dimensions), Priors())
    return CodeTrainer(store, knowledge, sandbox, SETTINGS.code)


def test_rounds_practise_and_what_they_teach_stays(store):
    with Sandbox(workers=1) as sandbox:
        trainer = trainer_of(store, sandbox)
        curriculum = CodeCurriculum.of(read_tasks(store, tasks_of(store, "train")))
        accuracies = iter((0.25, 0.75))
        told = trainer.run_continuous(
            curriculum, max_rounds=2, validate_every=1, validate=lambda: next(accuracies)
        )
    assert [one["tried"] for one in told["rounds"]] == [3, 3]
    assert told["best_accuracy"] == 0.75
    again = HologramContainer(store, SETTINGS.code.dimensions)
    assert len(again.create_neural_memory(MEMORY)) > 0
    assert again.observer.circuits()


def test_nothing_is_learned_from_a_test_task(store):
    with Sandbox(workers=1) as sandbox:
        trainer = trainer_of(store, sandbox)
        with pytest.raises(SplitGuardError):
            trainer.train_on_task(off_by_one("route", 6, "test"))
    assert store.repairs() == []
