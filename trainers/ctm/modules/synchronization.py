"""SynchronizationModule: how neurons' activations went together, as the model's representation.

For a pair (i, j) with r = exp(-decay): sync_t = sum_s r^(t-s) z_i[s] z_j[s] / sqrt(sum_s r^(t-s)),
over all states since the start state (CTM, section 2.4). The action's form is updated tick by tick,
since the next query needs it; the output's is computed for all ticks at once.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from trainers.ctm.config import CTMConfig
from trainers.ctm.modules.precision import full, full_precision

_MAX_DECAY = 15.0


class _Bounded(torch.autograd.Function):
    """Clamp to [0, max]; the gradient is stopped only where it points further out.

    A clamp has no gradient outside, so a decay that once fell below 0 could never come back.
    """

    @staticmethod
    def forward(ctx: Any, decay: Tensor) -> Tensor:
        ctx.save_for_backward(decay)
        return decay.clamp(0, _MAX_DECAY)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (decay,) = ctx.saved_tensors
        outward = ((decay <= 0) & (gradient > 0)) | ((decay >= _MAX_DECAY) & (gradient < 0))
        return gradient.masked_fill(outward, 0)


class _DecayedSums(torch.autograd.Function):
    """s_t = r s_(t-1) + p_t over the first dimension, keeping only the sums for backward."""

    @staticmethod
    def forward(ctx: Any, products: Tensor, rate: Tensor) -> Tensor:
        sums = products.clone()
        for tick in range(1, len(sums)):
            sums[tick].addcmul_(sums[tick - 1], rate)
        ctx.save_for_backward(sums, rate)
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        sums, rate = ctx.saved_tensors
        back = gradient.clone()
        for tick in range(len(back) - 1, 0, -1):
            back[tick - 1].addcmul_(back[tick], rate)
        to_rate = (back[1:] * sums[:-1]).flatten(0, -2).sum(0)
        return back, to_rate


class Pairs(nn.Module):
    """Pairs of neurons and their decays."""

    left: Tensor
    right: Tensor

    def __init__(self, left: Tensor, right: Tensor) -> None:
        super().__init__()
        self.register_buffer("left", left)
        self.register_buffer("right", right)
        self.decay = nn.Parameter(torch.zeros(len(left)))

    def rate(self) -> Tensor:
        """(pairs,) decay in [0, 15], of the parameter's type."""
        return cast(Tensor, _Bounded.apply(self.decay))  # type: ignore[no-untyped-call]

    def products(self, states: Tensor) -> Tensor:
        """(..., D) states to (..., pairs) products, full precision."""
        wide = full(states)
        return wide.index_select(-1, self.left) * wide.index_select(-1, self.right)

    def scales(self, ticks: int) -> Tensor:
        """(ticks, pairs): 1 / sqrt(sum of r^k for k up to the tick); the same for every sample."""
        lags = torch.arange(ticks, device=self.decay.device, dtype=self.decay.dtype)
        return torch.exp(-self.rate() * lags[:, None]).cumsum(0).rsqrt()


class SynchronizationModule(nn.Module):
    """Action and output synchronisation. Pairs are drawn once and kept with the weights."""

    def __init__(self, config: CTMConfig) -> None:
        super().__init__()
        chosen = torch.Generator().manual_seed(config.pair_seed)
        self.action = Pairs(*_choose(config, config.n_synch_action, True, chosen))
        self.out = Pairs(*_choose(config, config.n_synch_out, False, chosen))

    def action_rate(self) -> Tensor:
        """(pairs,) factor by which action accumulators shrink each tick, full precision."""
        return torch.exp(-self.action.rate())

    def action_sync(self, state: Tensor, accumulated: Tensor, rate: Tensor) -> Tensor:
        """Return new accumulators from the newest state; ``scales`` turns them into sync.

        Args:
            state: (B, D).
            accumulated: (B, pairs), zeros at the start; float32 or wider.
            rate: of ``action_rate``.
        """
        with full_precision(state):
            return accumulated * rate + self.action.products(state)

    def output_sync(self, states: Tensor) -> Tensor:
        """Compute the output's synchronisation at every tick.

        Args:
            states: (T + 1, B, D), the start state first.

        Returns:
            (T, B, pairs), full precision.
        """
        with full_precision(states):
            products = self.out.products(states)
            factor = torch.exp(-self.out.rate())
            summed = cast(Tensor, _DecayedSums.apply(products, factor))  # type: ignore[no-untyped-call]
            return (summed * self.out.scales(len(states))[:, None])[1:]


def _choose(
    config: CTMConfig, count: int, action: bool, chosen: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Pick the two neurons of every pair: two int64 (pairs,)."""
    size = config.d_model
    if config.neuron_select_type == "random-pairing":
        left = torch.randint(size, (count,), generator=chosen)
        right = torch.randint(size, (count,), generator=chosen)
        alone = config.n_random_pairing_self
        return left, torch.cat([left[:alone], right[alone:]])
    if config.neuron_select_type == "random":
        first = torch.randperm(size, generator=chosen)[:count]
        second = torch.randperm(size, generator=chosen)[:count]
    else:
        first = second = torch.arange(size - count, size) if action else torch.arange(count)
    i, j = torch.triu_indices(count, count)
    return first[i], second[j]
