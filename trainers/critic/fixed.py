"""Critics whose heads are not trained: one column of the inputs is the score, and which is chosen.

So are the gradient-free baselines that every trained critic must beat, and the epochs of a model
that was tuned as a whole.
"""

from dataclasses import replace

import torch

from trainers.critic.examples import Examples
from trainers.critic.model import CriticSpec, Head, Standardiser
from trainers.critic.scalars import NAMES
from trainers.critic.train import Trained, choose

# Each with its sign: a shorter program is likelier to be right.
BASELINES = (("majority", 1.0), ("mean_logprob", 1.0), ("sum_logprob", 1.0), ("log_tokens", -1.0))


def choose_baseline(samples: Examples, validation: Examples, spec: CriticSpec) -> Trained:
    """Take the baseline with the highest rerank gain on validation; calibrated there.

    Args:
        samples: of the train problems: nothing is learned from them.
        validation: of others; both with inputs of ``scalars.NAMES`` alone.
        spec: goes into the critic.
    """
    heads = [
        ((float(number),), _column(len(NAMES), NAMES.index(name), sign))
        for number, (name, sign) in enumerate(BASELINES)
    ]
    chosen = choose(heads, Standardiser.none(len(NAMES)), validation, spec)
    return replace(chosen, train_logits=chosen.critic.logits(samples.inputs).numpy().astype(float))


def choose_epoch(validation: Examples, spec: CriticSpec) -> Trained:
    """Take the epoch with the highest rerank gain on validation.

    Args:
        validation: with one column of logits an epoch.
        spec: goes into the critic; ``hidden`` is the number of epochs.
    """
    heads = [((epoch + 1.0,), _column(spec.hidden, epoch, 1.0)) for epoch in range(spec.hidden)]
    return choose(heads, Standardiser.none(spec.hidden), validation, spec)


def _column(dim: int, number: int, sign: float) -> Head:
    weight = torch.zeros(dim)
    weight[number] = sign
    return Head(weight, torch.zeros(()))
