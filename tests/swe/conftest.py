"""What these tests share: one codebook, a task, and parts that learned from a family."""

import pytest
import torch
from swe_family import (
    DIMENSIONS,
    NOUNS,
    Learned,
    encode_issue,
    example,
    make_task,
    make_tasks,
)

from memory.hologram.codebook import Codebook
from trainers.code_trainer.code_resonator import CodeResonator
from trainers.code_trainer.diffs import patches_of
from trainers.code_trainer.expectation import TokenExpectation
from trainers.code_trainer.network import NetworkSpec
from trainers.code_trainer.training_generator import TrainingPlan, train_generator
from trainers.tasks.swe.types import SWETask


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def codebook() -> Codebook:
    return Codebook(DIMENSIONS)


@pytest.fixture
def sample_swe_task() -> SWETask:
    return make_task("limit", "order", "user")


@pytest.fixture(scope="session")
def learned(codebook: Codebook) -> Learned:
    """All parts trained on two thirds of the family, by function name."""
    tasks = make_tasks()
    train = [task for task in tasks if f"-{NOUNS[7]}-" not in task.task_id]
    held = [task for task in tasks if f"-{NOUNS[7]}-" in task.task_id]
    made = [example(codebook, task) for task in train]
    spec = NetworkSpec(DIMENSIONS, hidden=64, layers=1, dropout=0.0, patterns=4)
    plan = TrainingPlan(epochs=24, batch=16, rate=3e-3, patience=24)
    validation = [example(codebook, task)[0] for task in held]
    trained = train_generator([one for one, _ in made], validation, spec, plan)
    resonator = CodeResonator(codebook).fit(
        [encode_issue(codebook, task.issue_text) for task in train],
        [patches_of(task.code_before, task.code_after) for task in train],
    )
    expectation = TokenExpectation.fit([sample for _, sample in made])
    return Learned(codebook, resonator, expectation, trained, train, held)
