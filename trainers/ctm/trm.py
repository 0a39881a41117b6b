"""TinyRecursiveModel: the model that the CTM is compared with (TRM, arXiv 2510.04871).

Three token-wide tensors: x the input, y the answer, z the latent. One two-layer block is shared by
all updates. Answers are supervised step after step, the carry detached in between.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from trainers.ctm.batch import Batch
from trainers.ctm.config import CTMConfig
from trainers.ctm.losses import RepairLoss, weighted_mean
from trainers.ctm.modules.precision import full
from trainers.ctm.modules.rotational import angles
from trainers.ctm.modules.transformer import Angles, PostNormLayer
from trainers.ctm.repair_model import RepairModel
from trainers.ctm.thoughts import Thoughts

_LAYERS = 2
_HALTING = 0.5  # of the halting loss, as in the paper's code
_RIGHT = 0.5  # above this probability no other edit can be the first choice


class TinyRecursiveModel(RepairModel):
    """x, y, z and a shared block; a tick is one supervision step."""

    start_answer: Tensor
    start_latent: Tensor

    def __init__(self, config: CTMConfig) -> None:
        super().__init__(config, d_context=config.d_model)
        size = config.d_model
        self.layers = nn.ModuleList(
            PostNormLayer(size, config.heads, config.control_width) for _ in range(_LAYERS)
        )
        self.halt = nn.Linear(size, 1)
        nn.init.zeros_(self.halt.weight)
        nn.init.constant_(self.halt.bias, -5.0)  # begin by going on
        # Fixed random starts, kept with the weights, as in the paper's code.
        self.register_buffer("start_answer", torch.randn(size))
        self.register_buffer("start_latent", torch.randn(size))

    def forward(self, batch: Batch, ticks: int | None = None) -> Thoughts:
        """Run all supervision steps; no gradient passes from one to an earlier one."""
        steps = list(self._steps(batch, self.config.trm_steps if ticks is None else ticks))
        last = steps[-1]
        return replace(
            last,
            locations=torch.cat([step.locations for step in steps]),
            certainty=torch.cat([step.certainty for step in steps]),
            context=torch.cat([step.context for step in steps]),
            states=torch.cat([step.states for step in steps]),
            copy_keys=torch.cat([step.copy_keys for step in steps]),
            state_of_tick=torch.arange(len(steps), device=last.states.device),
            ticks_used=torch.full_like(last.ticks_used, len(steps)),
            halting=torch.cat([_required(step.halting) for step in steps]),
        )

    def loss(self, batch: Batch, generator: torch.Generator | None = None) -> RepairLoss:
        """Average the supervision steps' losses; gradients add up, without updates in between."""
        steps = list(self.supervision(batch, generator))
        return RepairLoss(
            **{
                name: torch.stack([getattr(step, name) for step in steps]).mean(0)
                for name in _AVERAGED
            },
            success=steps[-1].success,
            located=steps[-1].located,
        )

    def supervision(
        self, batch: Batch, generator: torch.Generator | None = None
    ) -> Iterator[RepairLoss]:
        """Yield a loss for each supervision step; backward may be called in between.

        A sample whose halting probability is above a half counts no more in later steps, except
        for ``trm_exploration`` of them, which may not halt before the last.
        """
        device = generator.device if generator is not None else batch.weight.device
        drawn = torch.rand(batch.size, generator=generator, device=device)
        explores = drawn.to(batch.weight) < self.config.trm_exploration
        going = torch.ones_like(explores)
        for step in self._steps(batch, self.config.trm_steps):
            if not bool(going.any()):
                return
            counted = replace(batch, weight=batch.weight * going)
            found = self.loss_of(step, counted, generator)
            logits = _required(step.halting)[0]
            right = (found.success > _RIGHT).to(logits.dtype)
            halting = nn.functional.binary_cross_entropy_with_logits(
                logits, right, reduction="none"
            )
            yield replace(
                found, total=found.total + _HALTING * weighted_mean(halting, counted.weight)
            )
            going = going & ((logits.detach() <= 0) | explores)

    def _steps(self, batch: Batch, steps: int) -> Iterator[Thoughts]:
        """Yield the thoughts after each supervision step."""
        x = self.grid(batch)
        shown = batch.valid[..., None]
        y = (self.start_answer * shown).to(x.dtype)
        z = (self.start_latent * shown).to(x.dtype)
        turned = angles(batch.row, batch.col, self.config.d_model // self.config.heads)
        for step in range(steps):
            # A graph that backward has freed cannot be used again: embed anew for each step.
            x = x if step == 0 else self.grid(batch)
            with torch.no_grad():
                for _ in range(self.config.trm_cycles - 1):
                    y, z = self._cycle(x, y, z, batch.valid, turned)
            y, z = self._cycle(x, y, z, batch.valid, turned)
            thought = self.thought(y, batch)
            mean = (thought.states[0] * shown).sum(1) / shown.sum(1)
            yield replace(thought, halting=full(self.halt(mean)).squeeze(-1)[None])
            y, z = y.detach(), z.detach()

    def _cycle(
        self, x: Tensor, y: Tensor, z: Tensor, valid: Tensor, turned: Angles
    ) -> tuple[Tensor, Tensor]:
        for _ in range(self.config.trm_inner):
            z = self._block(x + y + z, valid, turned)
        return self._block(y + z, valid, turned), z

    def _block(self, cells: Tensor, valid: Tensor, turned: Angles) -> Tensor:
        for layer in self.layers:
            cells = layer(cells, valid, turned)
        return cells


_AVERAGED = ("total", "location", "operation", "token", "calibration", "per_sample")


def exponential_average(model: nn.Module, decay: float = 0.999) -> AveragedModel:
    """Keep a copy whose weights follow the model's; call ``update_parameters`` after each step.

    TRM evaluates the copy, ``.module``. After n updates the decay is (1 + n) / (10 + n) at most, so
    that a run of some hundred steps is not left with the weights that it began with.
    """

    @torch.no_grad()
    def follow(average: Any, current: Any, updates: Tensor | int) -> None:
        count = float(updates)
        share = 1 - min(decay, (1 + count) / (10 + count))
        for kept, new in zip(average, current, strict=True):
            kept.lerp_(new, share)

    return AveragedModel(model, multi_avg_fn=follow)


def _required(halting: Tensor | None) -> Tensor:
    assert halting is not None  # every step of this model has one
    return halting
