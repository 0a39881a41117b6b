"""AdamW as the CTM's training uses it, and the learning rate of a curriculum stage.

Sources: the specification's training section; warm-up and cosine within each stage, since 2,000
steps of warm-up would be most of the first stage.
"""

import math

import torch
from torch import nn

BETAS = (0.9, 0.95)
WEIGHT_DECAY = 0.01
CLIP = 1.0
LONGEST_WARM_UP, WARM_UP_SHARE = 2_000, 0.1


def make_optimiser(model: nn.Module, weight_decay: float = WEIGHT_DECAY) -> torch.optim.AdamW:
    """AdamW over all weights; only matrices decay, biases and norms do not."""
    trained = [one for one in model.parameters() if one.requires_grad]
    return torch.optim.AdamW(
        [
            {"params": [one for one in trained if one.ndim > 1], "weight_decay": weight_decay},
            {"params": [one for one in trained if one.ndim <= 1], "weight_decay": 0.0},
        ],
        betas=BETAS,
    )


def learning_rate(step: int, steps: int, peak: float, lowest: float) -> float:
    """The rate of step ``step`` (from 0) of ``steps``: linear warm-up, then a cosine to ``lowest``.

    Steps past the end have ``lowest``.
    """
    warm_up = min(LONGEST_WARM_UP, math.ceil(WARM_UP_SHARE * steps))
    if step < warm_up:
        return peak * (step + 1) / warm_up
    done = min((step - warm_up) / max(steps - warm_up, 1), 1.0)
    return lowest + (peak - lowest) * (1 + math.cos(math.pi * done)) / 2


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give all groups a learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate
