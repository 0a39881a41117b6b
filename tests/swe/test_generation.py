"""The generator in a round: fitted on a family of tasks, saved, loaded, and asked for patches."""

import pytest
from swe_family import DIMENSIONS, make_task, make_tasks

from memory.hologram.codebook import Codebook
from trainers.code_trainer.encoder import CodeEncoder
from trainers.code_trainer.generation import (
    changed_texts,
    context_of,
    fit_generator,
    load_generation,
)


@pytest.fixture(scope="module")
def codebook():
    return Codebook(DIMENSIONS)


@pytest.fixture(scope="module")
def fitted(codebook):
    return fit_generator(make_tasks(), codebook, epochs=1, seed=0)


def test_too_few_tasks_train_nothing(codebook):
    assert fit_generator(make_tasks()[:10], codebook, epochs=1, seed=0) is None


def test_it_says_how_well_unseen_scripts_are_foretold(fitted):
    assert "edit scripts" in fitted.told
    assert set(fitted.state.tasks) <= {task.task_id for task in make_tasks()}


def test_what_was_saved_answers_in_the_words_of_the_task(fitted, codebook, tmp_path):
    fitted.save(tmp_path)
    generator = load_generation(tmp_path, codebook, None)
    task = make_task("limit", "order", "user", number=7)
    texts = dict(task.code_before)
    (path,) = texts
    files, functions = [(path, 0.9)], {path: [("load_order", 1.0)]}
    issue = CodeEncoder(codebook).encode_issue(task.issue_text)
    found = generator.generate(issue, context_of(task.issue_text, texts, functions, files))
    for result in found:
        changed = changed_texts(texts, result)
        assert changed is not None
        assert changed[path] != texts[path]
        compile(changed[path], path, "exec")


def test_a_version_without_a_generator_has_none(codebook, tmp_path):
    assert load_generation(tmp_path, codebook, None) is None
