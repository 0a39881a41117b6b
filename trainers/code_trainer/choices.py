"""What the network may choose at a step of an edit script, as numbers: one space for all steps.

First the six operations, then ``MAX_WINDOW`` + 1 places between the tokens of the window, then the
ids of the task's vocabulary. The first step is an operation, the second and third are the span's
places, all others are tokens up to ``<END>``.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from trainers.code_trainer.edit_script import MAX_NEW, MAX_WINDOW, EditScript
from trainers.code_trainer.regions import OPERATIONS
from trainers.code_trainer.vocabulary import END, OOV, TaskVocabulary

PLACES = MAX_WINDOW + 1
FIRST_PLACE = len(OPERATIONS)
FIRST_TOKEN = FIRST_PLACE + PLACES
MAX_STEPS = 3 + MAX_NEW + 1
HEADER_STEPS = 3


def choices_of(script: EditScript, vocabulary: TaskVocabulary) -> list[int]:
    """The choices of a script, ``<END>`` included; a token that is not held is ``<OOV>``."""
    return [
        OPERATIONS.index(script.operation),
        FIRST_PLACE + script.start,
        FIRST_PLACE + script.end,
        *(FIRST_TOKEN + vocabulary.id(token) for token in (*script.tokens, END)),
    ]


def script_from(choices: Sequence[int], vocabulary: TaskVocabulary) -> EditScript:
    """The script of finished choices, the ``<END>`` included or not."""
    tokens = [vocabulary.tokens[choice - FIRST_TOKEN] for choice in choices[HEADER_STEPS:]]
    if tokens and tokens[-1] == END:
        tokens.pop()
    start, end = choices[1] - FIRST_PLACE, choices[2] - FIRST_PLACE
    return EditScript(OPERATIONS[choices[0]], start, end, tuple(tokens))


def choice_mask(steps: Tensor, places: Tensor, allowed: Tensor) -> Tensor:
    """What may be chosen at some steps, by the grammar alone.

    Args:
        steps: int64 (positions,): the number of the step, from 0.
        places: bool (batch, PLACES): the places that the window has.
        allowed: bool (batch, tokens): the tokens that may be emitted.

    Returns:
        bool (batch, positions, choices).
    """
    operations = places.new_ones(len(places), FIRST_PLACE)
    parts = []
    for part, of_step in (
        (operations, steps == 0),
        (places, (steps == 1) | (steps == 2)),
        (allowed, steps >= HEADER_STEPS),
    ):
        parts.append(part[:, None, :] & of_step[None, :, None])
    return torch.cat(parts, -1)


OOV_CHOICE = FIRST_TOKEN + TaskVocabulary(()).id(OOV)
"""The choice of a token that the vocabulary lacks: never right, and never counted as learned."""
