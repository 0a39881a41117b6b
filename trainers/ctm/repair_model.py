"""RepairModel: what the trainer, the evaluation and the comparison call; all models are one."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from trainers.ctm.batch import Batch
from trainers.ctm.config import CTMConfig
from trainers.ctm.losses import RepairLoss, repair_loss
from trainers.ctm.modules.backbone import TokenGrid
from trainers.ctm.modules.head import EditHead
from trainers.ctm.prediction import EditPrediction, read_edits
from trainers.ctm.thoughts import Thoughts, certainty

Read = Literal["certain", "last"]


class RepairModel(nn.Module, ABC):
    """A token grid, some way to think about it, and the shared edit head."""

    def __init__(self, config: CTMConfig, d_context: int) -> None:
        super().__init__()
        self.config = config
        self.grid = TokenGrid(config)
        self.head = EditHead(config, d_context)

    @abstractmethod
    def forward(self, batch: Batch, ticks: int | None = None) -> Thoughts:
        """Think; ``ticks`` other than the configuration's where the model has ticks."""

    def loss(self, batch: Batch, generator: torch.Generator | None = None) -> RepairLoss:
        """Compute the batch's loss; ``generator`` draws the ticks at which tokens count."""
        return self.loss_of(self(batch), batch, generator)

    def supervision(
        self, batch: Batch, generator: torch.Generator | None = None
    ) -> Iterator[RepairLoss]:
        """Yield losses to call backward on, one after another, an optimiser step for each.

        One for all models but TRM, which yields one for each of its supervision steps; ``loss`` is
        their mean.
        """
        yield self.loss(batch, generator)

    def think(self, batch: Batch, threshold: float, ticks: int | None = None) -> Thoughts:
        """Read each sample at the second tick in a row whose certainty is above ``threshold``.

        Without such ticks the last one is read. This form runs all ticks; the CTM saves them.
        """
        thoughts: Thoughts = self(batch, ticks)
        above = thoughts.certainty > threshold
        stops = torch.zeros_like(above)
        stops[1:] = above[1:] & above[:-1]
        stops[-1] = True
        return thoughts.only(stops.int().argmax(0))

    @torch.no_grad()
    def predict(
        self,
        batch: Batch,
        *,
        read: Read = "certain",
        ticks: int | None = None,
        threshold: float | None = None,
        top_k: int = 8,
    ) -> EditPrediction:
        """Predict the next edit of every sample.

        Args:
            batch: its edits are not looked at.
            read: at each sample's most certain tick, or the last one.
            ticks: to think, where the model has ticks; None: the configuration's.
            threshold: stop early at this certainty (``think``) instead of ``read``.
            top_k: joint edits to return.
        """
        if threshold is not None:
            thoughts = self.think(batch, threshold, ticks)
            return self.edits_at(thoughts, batch, torch.zeros_like(thoughts.ticks_used), top_k)
        thoughts = self(batch, ticks)
        last = torch.full_like(thoughts.ticks_used, thoughts.ticks - 1)
        chosen = thoughts.certainty.argmax(0) if read == "certain" else last
        return self.edits_at(thoughts, batch, chosen, top_k)

    @torch.no_grad()
    def edits_at(
        self, thoughts: Thoughts, batch: Batch, tick: Tensor, top_k: int = 8
    ) -> EditPrediction:
        """Read edits at ``tick`` (B,) int64 of thoughts that exist; curves over ticks use this."""
        return read_edits(thoughts, batch, self.head, self.grid.embedding, tick, top_k)

    def loss_of(
        self, thoughts: Thoughts, batch: Batch, generator: torch.Generator | None = None
    ) -> RepairLoss:
        """Compute the loss of thoughts that exist."""
        return repair_loss(thoughts, batch, self.head, self.grid.embedding, self.config, generator)

    def thought(self, features: Tensor, batch: Batch) -> Thoughts:
        """Make one tick's thoughts from (B, N, d_model) cells; the context is their mean."""
        states = self.head.norm(features)
        valid = batch.valid[..., None]
        mean = (states * valid).sum(1) / valid.sum(1)
        context = self.head.context(mean)[None]
        locations = self.head.locate(states, context, batch.allowed)
        return Thoughts(
            locations=locations,
            certainty=certainty(locations, batch.allowed),
            context=context,
            states=states[None],
            state_of_tick=torch.zeros(1, dtype=torch.int64, device=states.device),
            copy_keys=self.head.copy_keys(states)[None],
            allowed=batch.allowed,
            ticks_used=torch.ones(batch.size, dtype=torch.int64, device=states.device),
        )
