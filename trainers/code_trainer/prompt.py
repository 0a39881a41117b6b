"""What the network reads of a task and what it should answer, as tensors, and batches of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from trainers.code_trainer.choices import OOV_CHOICE, choices_of
from trainers.code_trainer.edit_script import MAX_NEW, EditScript, Window
from trainers.code_trainer.network import Inputs
from trainers.code_trainer.token_codes import token_codes
from trainers.code_trainer.vocabulary import TaskVocabulary

IGNORED = -100


@dataclass(frozen=True)
class Prompt:
    """One task's part of ``Inputs``; codes as int16, for there are many tokens."""

    issue: Tensor
    window: Tensor
    focus: Tensor
    codes: Tensor
    features: Tensor
    allowed: Tensor


@dataclass(frozen=True)
class Example:
    """A prompt with its truth: int64 (steps,) choices, and the index of its pattern or -1."""

    task_id: str
    prompt: Prompt
    choices: Tensor
    pattern: int = -1


def prompt_of(issue: Tensor, window: Window, vocabulary: TaskVocabulary) -> Prompt:
    """The prompt of a window; ``issue`` is float or int8 (dimensions,)."""
    return Prompt(
        issue.to(torch.float16),
        torch.tensor([vocabulary.id(word) for word in window.words], dtype=torch.int64),
        torch.tensor(window.in_focus, dtype=torch.bool),
        token_codes(vocabulary.tokens).to(torch.int16),
        vocabulary.features,
        vocabulary.allowed(),
    )


def example_of(
    task_id: str,
    issue: Tensor,
    window: Window,
    vocabulary: TaskVocabulary,
    script: EditScript,
    pattern: int = -1,
) -> Example | None:
    """The example of a true script; None where it is longer than the network writes."""
    if len(script.tokens) > MAX_NEW:
        return None
    choices = torch.tensor(choices_of(script, vocabulary), dtype=torch.int64)
    return Example(task_id, prompt_of(issue, window, vocabulary), choices, pattern)


def inputs_of(prompts: Sequence[Prompt], patterns: Tensor | None = None) -> Inputs:
    """A batch; what a task has less of is filled with nothing that may be read or emitted."""
    return Inputs(
        issues=torch.stack([prompt.issue for prompt in prompts]).float(),
        window=pad_sequence([prompt.window for prompt in prompts], batch_first=True),
        focus=pad_sequence([prompt.focus for prompt in prompts], batch_first=True),
        codes=pad_sequence([prompt.codes for prompt in prompts], batch_first=True).long(),
        features=pad_sequence([prompt.features for prompt in prompts], batch_first=True),
        allowed=pad_sequence([prompt.allowed for prompt in prompts], batch_first=True),
        patterns=patterns,
    )


def targets_of(examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
    """The choices that are given, int64 (batch, steps - 1), and those asked, (batch, steps).

    They are filled up with 0 and IGNORED.
    """
    asked = pad_sequence([e.choices for e in examples], batch_first=True, padding_value=IGNORED)
    return asked[:, :-1].clamp(min=0), asked


def learnable(asked: Tensor) -> Tensor:
    """Where there is something to learn: not what fills, nor what the vocabulary lacks."""
    return (asked != IGNORED) & (asked != OOV_CHOICE)
