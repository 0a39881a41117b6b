"""Thoughts: what a model made of a batch, tick by tick, before an edit is read off."""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainers.ctm.modules.precision import full


@dataclass(frozen=True)
class Thoughts:
    """T ticks over B samples of N cells. Models without ticks have T = 1.

    Attributes:
        locations: (T, B, N + 1) full precision logits of the edit's cell; column N is "no fix";
            cells that no edit may name have a score of -1e30.
        certainty: (T, B) full precision, 1 - entropy / log(choices) of the location.
        context: (T, B, d_model): what the head reads beside a cell.
        states: (G, B, N, d_model): normalised cell features after each rewriting; G = 1 where
            cells are never rewritten.
        state_of_tick: (T,) int64: which of the states a tick sees.
        copy_keys: (1, B, N, d_embedding) of the copy pointer, or (T, B, N, d_embedding) where they
            change from tick to tick.
        allowed: (B, N) bool: cells that an edit may name and a copy may read.
        ticks_used: (B,) int64: ticks that the sample was thought about.
        attention: (T, B, heads, N) weights where asked for, else None.
        synchronisation: (T, B, pairs) of the output where asked for, else None.
        halting: (T, B) logits of TRM's halting head, else None.
    """

    locations: Tensor
    certainty: Tensor
    context: Tensor
    states: Tensor
    state_of_tick: Tensor
    copy_keys: Tensor
    allowed: Tensor
    ticks_used: Tensor
    attention: Tensor | None = None
    synchronisation: Tensor | None = None
    halting: Tensor | None = None

    @property
    def ticks(self) -> int:
        """T."""
        return self.locations.shape[0]

    def context_at(self, ticks: Tensor) -> Tensor:
        """(K, B) ticks of each sample to (K, B, d_model) contexts."""
        samples = torch.arange(ticks.shape[1], device=ticks.device)
        return self.context[ticks, samples]

    def cells_at(self, ticks: Tensor, cells: Tensor) -> Tensor:
        """(K, B) ticks and (K, B, E) cells to (K, B, E, d_model) features."""
        samples = torch.arange(ticks.shape[1], device=ticks.device)[:, None]
        return self.states[self.state_of_tick[ticks][..., None], samples, cells]

    def keys_at(self, ticks: Tensor) -> Tensor:
        """(K, B) ticks to (K, B, N, d_embedding) keys, or (1, ...) where all ticks share them."""
        if len(self.copy_keys) == 1:
            return self.copy_keys
        return self.copy_keys[ticks, torch.arange(ticks.shape[1], device=ticks.device)]

    def only(self, ticks: Tensor) -> "Thoughts":
        """Keep one tick of each sample, ``ticks`` (B,) int64, as thoughts with T = 1."""
        samples = torch.arange(len(ticks), device=ticks.device)
        return Thoughts(
            locations=self.locations[ticks, samples][None],
            certainty=self.certainty[ticks, samples][None],
            context=self.context[ticks, samples][None],
            states=self.states[self.state_of_tick[ticks], samples][None],
            state_of_tick=self.state_of_tick.new_zeros(1),
            copy_keys=self.keys_at(ticks[None]),
            allowed=self.allowed,
            ticks_used=ticks + 1,
        )


def certainty(logits: Tensor, allowed: Tensor) -> Tensor:
    """Return 1 - entropy / log(choices) of locations, full precision, gradients kept.

    Args:
        logits: (..., B, N + 1), low where masked.
        allowed: (B, N) bool; "no fix" is one more choice, so that there are two at least.
    """
    log_p = full(logits).log_softmax(-1)
    entropy = -(log_p.exp() * log_p).sum(-1)
    return 1 - entropy / (1 + allowed.sum(-1)).to(entropy.dtype).log()
