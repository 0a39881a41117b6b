"""Trains Manager and renderer together for a round's steps; a run that was cut goes on exactly.

Batches are drawn from the seed and the number of the step, so that weights, the optimiser's state
and the step are all that a checkpoint holds.
"""

import json
import math
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional

from memory.files import write_atomically
from trainers.fractal.synthetic.batches import Batch, draw, pool
from trainers.fractal.synthetic.data import examples
from trainers.fractal.synthetic.manager import END
from trainers.fractal.synthetic.model import Networks, SyntheticModel, read_tensors, untrained
from trainers.fractal.synthetic.rows import StageRows, digits_of
from trainers.synthetic_settings import SyntheticConfig, TrainingConfig

_WARMUP = 100
_LEAST_RATE = 0.02  # of the peak, at the end
_CLIP = 1.0
_KEY = "training"

OnStep = Callable[[int, float], None]


def train(
    config: SyntheticConfig,
    seed: int,
    parent: SyntheticModel | None,
    progress: Path,
    on_step: OnStep = lambda step, loss: None,
) -> SyntheticModel:
    """Train for one round from a parent, or from random weights where there is none that fits.

    Args:
        config: sizes, difficulty and steps.
        seed: of the data and of the first weights.
        parent: the champion so far.
        progress: the file in which an unfinished training is kept; one of the same training is
            gone on with, another is written over. The caller removes it once the model is safe.
        on_step: called after each step with its number in this round, from 1, and its loss; what
            it raises ends the training, which then goes on from the last checkpoint.
    """
    begun = _Training.begin(config, seed, parent)
    begun.resume(progress)
    stages = pool(
        examples(config.difficulty, "train", config.training.tasks, _seed(seed, begun.before))
    )
    while begun.step < config.training.steps:
        loss = begun.advance(stages)
        if begun.step % config.training.checkpoint_every == 0:
            begun.save(progress)
        on_step(begun.step, loss)
    return begun.model()


class _Training:
    """The state of one round's training."""

    def __init__(self, config: SyntheticConfig, seed: int, base: SyntheticModel) -> None:
        self._config, self._seed, self._base = config, seed, base
        self.before, self.step = base.steps, 0
        self._networks = deepcopy(base.networks).train()
        self._optimiser = torch.optim.AdamW(
            self._networks.parameters(), weight_decay=config.training.weight_decay
        )

    @classmethod
    def begin(
        cls, config: SyntheticConfig, seed: int, parent: SyntheticModel | None
    ) -> "_Training":
        if parent is None or not parent.fits(config.network, config.difficulty):
            parent = untrained(config.network, config.difficulty, seed)
        return cls(config, seed, parent)

    def advance(self, stages: StageRows) -> float:
        """One step."""
        training = self._config.training
        generator = torch.Generator().manual_seed(_seed(self._seed, self.before + self.step))
        batch = draw(stages, self._config.difficulty, training, generator)
        loss = losses(self._networks, batch)
        for group in self._optimiser.param_groups:
            group["lr"] = _rate(training, self.step)
        self._optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self._networks.parameters(), _CLIP)
        self._optimiser.step()
        self.step += 1
        return loss.item()

    def save(self, path: Path) -> None:
        """Keep the state, atomically."""
        tensors = {f"weights.{name}": t for name, t in self._networks.state_dict().items()}
        for index, state in self._optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": t for name, t in state.items()}
        told = {"of": self._identity(), "step": self.step}
        own = {name: t.detach().clone().contiguous() for name, t in tensors.items()}
        write_atomically(path, save(own, {_KEY: json.dumps(told)}))

    def resume(self, path: Path) -> None:
        """Go on from a file of this very training, where there is one."""
        try:
            told, tensors = read_tensors(path, _KEY)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            return  # none, or of an older version: begin anew
        if told["of"] != self._identity():
            return
        self.step = int(told["step"])
        self._networks.load_state_dict(
            {n.removeprefix("weights."): t for n, t in tensors.items() if n.startswith("weights.")}
        )
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimiser."):
                _, index, part = name.split(".")
                state.setdefault(int(index), {})[part] = tensor
        self._optimiser.load_state_dict(self._optimiser.state_dict() | {"state": state})

    def model(self) -> SyntheticModel:
        """What was made so far."""
        made = self._base
        return SyntheticModel(
            self._networks.eval(), made.network, made.difficulty, self.before + self.step
        )

    def _identity(self) -> dict[str, object]:
        """What makes two trainings the same."""
        return {
            "network": self._config.network.model_dump(mode="json"),
            "difficulty": self._config.difficulty.model_dump(mode="json"),
            "training": self._config.training.model_dump(mode="json"),
            "seed": self._seed,
            "before": self.before,
        }


def losses(networks: Networks, batch: Batch) -> Tensor:
    """What both networks minimise: chunks, soundness, roots."""
    return _rendering_loss(networks, batch) + _drafting_loss(networks, batch)


def _rendering_loss(networks: Networks, batch: Batch) -> Tensor:
    """Cross entropy of open roots' digits in original stages, and of soundness where judged."""
    told = networks.renderer(batch.seen)
    wanted = digits_of(batch.operands)
    nll = -told.digits.log_softmax(-1).gather(-1, wanted[..., None])[..., 0].sum(-1)
    counted = batch.seen.open & batch.original[:, None]
    chunks = (nll * counted).sum() / counted.sum().clamp(min=1)
    errors = functional.binary_cross_entropy_with_logits(
        told.sound, batch.sound.float(), reduction="none"
    )
    soundness = (errors * batch.judged).sum() / batch.judged.sum().clamp(min=1)
    return cast(Tensor, chunks + soundness)


def _drafting_loss(networks: Networks, batch: Batch) -> Tensor:
    """Cross entropy of the roots and of the end root."""
    rows = batch.seen.select(batch.original.nonzero()[:, 0])
    logits = networks.manager(rows.start, rows.end, rows.ops)
    wanted = functional.pad(rows.ops, (0, 1), value=END)
    lengths = rows.real.sum(1, keepdim=True)
    counted = torch.arange(wanted.shape[1]) <= lengths
    return functional.cross_entropy(logits[counted], wanted[counted])


def _rate(training: TrainingConfig, step: int) -> float:
    """Warm-up, then a cosine down to the end of the round."""
    warm = min(1.0, (step + 1) / min(_WARMUP, training.steps))
    fall = 0.5 * (1 + math.cos(math.pi * step / training.steps))
    return training.learning_rate * warm * max(_LEAST_RATE, fall)


def _seed(seed: int, number: int) -> int:
    """One seed out of two numbers; neighbours are far apart."""
    return (seed * 1_000_003 + number * 7_919) % 2**31
