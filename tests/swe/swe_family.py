"""A small family of tasks, and an encoder of issues that is good enough for it.

Every task is a module whose one function compares the wrong way, lacks an argument or has a line
too many; the issue names the function and says which. So there is something to learn, in seconds.
"""

from collections import Counter
from dataclasses import dataclass

import torch

from memory.hologram.codebook import Codebook
from trainers.code_trainer.code_resonator import CodeResonator
from trainers.code_trainer.diffs import patches_of
from trainers.code_trainer.edit_script import EditScript, script_of, window_of
from trainers.code_trainer.expectation import TokenExpectation
from trainers.code_trainer.prompt import example_of
from trainers.code_trainer.tokens import tokens
from trainers.code_trainer.training_generator import Trained
from trainers.code_trainer.vocabulary import TaskVocabulary
from trainers.tasks.swe.types import SWETask

DIMENSIONS = 2_000
NOUNS = ("order", "user", "price", "token", "frame", "cache", "route", "label", "group", "field")


def make_task(kind: str, noun: str, other: str, number: int = 0) -> SWETask:
    before = f"""\
import {other}


def load_{noun}(name, {other}=None):
    value = {other}.find(name)
    if value < {other}.limit:
        return value
    value = None
    return value
"""
    changes = {
        "limit": ("value < ", "value <= ", f"load_{noun} forgets the last one at the limit"),
        "argument": ("find(name)", f"find(name, {noun})", f"load_{noun} must pass {noun} to find"),
        "extra": ("    value = None\n", "", f"load_{noun} drops its result, always None"),
    }
    old, new, issue = changes[kind]
    path = f"app/{noun}.py"
    after = before.replace(old, new)
    return SWETask(f"{kind}-{noun}-{other}-{number}", "a/b", issue, {path: before}, {path: after})


def make_tasks() -> list[SWETask]:
    return [
        make_task(kind, noun, other)
        for kind in ("limit", "argument", "extra")
        for noun in NOUNS
        for other in NOUNS[:3]
        if noun != other
    ]


def encode_issue(codebook: Codebook, text: str) -> torch.Tensor:
    return codebook.weighted("word", {w: float(n) for w, n in Counter(tokens(text)).items()})


@dataclass(frozen=True)
class Learned:
    codebook: Codebook
    resonator: CodeResonator
    expectation: TokenExpectation
    trained: Trained
    train: list
    validation: list


def script_for(task: SWETask) -> EditScript:
    (patch,) = patches_of(task.code_before, task.code_after)
    script = script_of(window_of(task.code_before[patch.file], patch.location), patch)
    assert script is not None
    return script


def example(codebook: Codebook, task: SWETask):
    (patch,) = patches_of(task.code_before, task.code_after)
    window = window_of(task.code_before[patch.file], patch.location)
    script = script_of(window, patch)
    vocabulary = TaskVocabulary.of_texts(
        window.words, task.code_before[patch.file], task.issue_text, limit=200
    )
    issue = encode_issue(codebook, task.issue_text)
    made = example_of(task.task_id, issue, window, vocabulary, script, pattern=len(script.tokens))
    assert made is not None
    return made, (vocabulary, {}, script.tokens)
