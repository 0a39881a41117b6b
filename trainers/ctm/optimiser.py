"""The optimisers of the CTM's training, and the learning rate of a curriculum stage.

Sources: the specification's training section (AdamW); Jordan et al., "Muon: An optimizer for hidden
layers in neural networks" (2024), with the rate scaled as by Liu et al. (arXiv 2502.16982) so that
one schedule serves both. Warm-up and cosine are within each stage, since 2,000 steps of warm-up
would be most of the first.
"""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

Optimiser = Literal["adamw", "muon"]

BETAS = (0.9, 0.95)
WEIGHT_DECAY = 0.01
CLIP = 1.0
LONGEST_WARM_UP, WARM_UP_SHARE = 2_000, 0.1
_NARROWEST = 16  # side of a matrix whose update is made orthogonal; narrower ones are read-outs


def make_optimisers(
    model: nn.Module, kind: Optimiser = "adamw", weight_decay: float = WEIGHT_DECAY
) -> list[torch.optim.Optimizer]:
    """Optimisers that together have every weight once; only matrices decay, biases do not.

    ``muon`` takes the weights of linear layers; embeddings, read-outs, the neurons' private models
    and what is no matrix stay with AdamW.
    """
    inner = _linear(model) if kind == "muon" else []
    chosen = {id(one) for one in inner}
    rest = [one for one in model.parameters() if one.requires_grad and id(one) not in chosen]
    adamw = torch.optim.AdamW(
        [
            {"params": [one for one in rest if one.ndim > 1], "weight_decay": weight_decay},
            {"params": [one for one in rest if one.ndim <= 1], "weight_decay": 0.0},
        ],
        betas=BETAS,
    )
    if not inner:
        return [adamw]
    muon = torch.optim.Muon(inner, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
    return [adamw, muon]


def _linear(model: nn.Module) -> list[torch.Tensor]:
    return [
        one.weight
        for one in model.modules()
        if isinstance(one, nn.Linear)
        and one.weight.requires_grad
        and min(one.weight.shape) >= _NARROWEST
    ]


def learning_rate(step: int, steps: int, peak: float, lowest: float) -> float:
    """The rate of step ``step`` (from 0) of ``steps``: linear warm-up, then a cosine to ``lowest``.

    Steps past the end have ``lowest``.
    """
    warm_up = min(LONGEST_WARM_UP, math.ceil(WARM_UP_SHARE * steps))
    if step < warm_up:
        return peak * (step + 1) / warm_up
    done = min((step - warm_up) / max(steps - warm_up, 1), 1.0)
    return lowest + (peak - lowest) * (1 + math.cos(math.pi * done)) / 2


def set_rate(optimisers: Sequence[torch.optim.Optimizer], rate: float) -> None:
    """Give all groups a learning rate."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate
