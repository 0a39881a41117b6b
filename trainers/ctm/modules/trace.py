"""NeuronTape: the neurons' own models over a trace that is written once and never copied.

The trace of a run is one buffer; a tick appends a column and each neuron reads the last M as a
strided view. Backward visits ticks in reverse and adds into one gradient buffer of the same shape:
a column is complete when the tick that wrote it runs. Weight gradients are summed on the tape and
handed over by its first tick, which always runs last, since every tick's state feeds the next.
"""

from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from trainers.ctm.modules.precision import full

_PENDING = 8  # ticks whose weight gradients are one product, in half precision


@dataclass(frozen=True)
class NeuronWeights:
    """Private weights of D neurons; shallow models have no second layer.

    Attributes:
        first: (D, M, 2h), or (D, M, 2) where shallow.
        first_bias: (D, 1, 2h) or (D, 1, 2).
        second: (D, h, 2), or None.
        second_bias: (D, 1, 2), or None.
    """

    first: Tensor
    first_bias: Tensor
    second: Tensor | None
    second_bias: Tensor | None

    def to(self, dtype: torch.dtype) -> "NeuronWeights":
        """Detached copies of another type."""

        def copied(weight: Tensor | None) -> Tensor | None:
            return None if weight is None else weight.detach().to(dtype)

        first, bias = self.first.detach().to(dtype), self.first_bias.detach().to(dtype)
        return NeuronWeights(first, bias, copied(self.second), copied(self.second_bias))

    def all(self) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """In the order of the fields."""
        return self.first, self.first_bias, self.second, self.second_bias


@dataclass
class _Sums:
    """Gradients of one run, made when backward reaches its last tick."""

    trace: Tensor | None = None  # (D, B, M - 1 + T), full precision
    weights: list[Tensor] = field(default_factory=list)
    pending: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    joined: list[Tensor] = field(default_factory=list)  # room for full lists of pending ones


class NeuronTape:
    """One run of at most ``ticks`` ticks, begun with the last M - 1 pre-activations.

    Args:
        weights: of the neurons; gradients flow to them.
        past: (D, B, M - 1) pre-activations before the run, oldest first; gradients flow to them.
        ticks: room in the buffer.
        dtype: of the products.
    """

    def __init__(
        self, weights: NeuronWeights, past: Tensor, ticks: int, dtype: torch.dtype
    ) -> None:
        self.weights = weights
        self.past = past
        self.used = weights.to(dtype)
        self.memory = weights.first.shape[1]
        neurons, batch, _ = past.shape
        self.buffer = torch.empty(
            neurons, batch, self.memory - 1 + ticks, dtype=dtype, device=past.device
        )
        self.buffer[:, :, : self.memory - 1] = past.detach()
        self.shared = _Shared(self)
        self.tick = 0

    def step(self, pre: Tensor) -> Tensor:
        """Append pre-activations (B, D) and return the neurons' new states (B, D)."""
        tick, self.tick = self.tick, self.tick + 1
        # Only the first tick takes what all ticks share: it returns their summed gradients.
        shared = (self.past, *self.weights.all()) if tick == 0 else (None,) * 5
        state = cast(Tensor, _NeuronTick.apply(pre, self, tick, *shared))  # type: ignore[no-untyped-call]
        return state.t()

    def latest(self, pres: list[Tensor]) -> Tensor:
        """(D, B, M - 1): what the next run begins with, with gradients to ``pres`` and ``past``."""
        wanted = self.memory - 1
        new = torch.stack(pres[-wanted:], -1).transpose(0, 1) if wanted else self.past
        kept = self.past[:, :, self.past.shape[2] - (wanted - len(pres)) :]
        return torch.cat([kept, new], -1) if len(pres) < wanted else new


class _NeuronTick(torch.autograd.Function):
    """Write a column, run the neurons; see the module's docstring for backward."""

    @staticmethod
    def forward(ctx: Any, pre: Tensor, tape: NeuronTape, tick: int, *_shared: Tensor) -> Tensor:
        memory, used = tape.memory, tape.used
        tape.buffer[:, :, memory - 1 + tick] = pre.t()
        # .data has a version counter of its own: later ticks write other columns of the buffer.
        window = tape.buffer.data[:, :, tick : tick + memory]
        hidden = torch.baddbmm(used.first_bias, window, used.first)
        last = hidden
        if used.second is not None and used.second_bias is not None:
            gated = torch.nn.functional.glu(hidden, -1)
            last = torch.baddbmm(used.second_bias, gated, used.second)
        ctx.save_for_backward(window, hidden, last)
        ctx.tape, ctx.tick, ctx.pre_dtype = tape.shared, tick, pre.dtype
        return torch.nn.functional.glu(last, -1).squeeze(-1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        window, hidden, last = ctx.saved_tensors
        tape, tick = ctx.tape, ctx.tick
        glu_back = torch.ops.aten.glu_backward
        back = glu_back(gradient.unsqueeze(-1).to(last.dtype), last, -1)
        if tape.used.second is not None:
            gated = torch.nn.functional.glu(hidden, -1)
            tape.add_second(gated, back)
            back = glu_back(torch.bmm(back, tape.used.second.transpose(1, 2)), hidden, -1)
        to_trace = tape.add_first(window, back, tick)
        to_pre = to_trace[:, :, tape.memory - 1 + tick].t().to(ctx.pre_dtype)
        shared = tape.shared_gradients() if tick == 0 else (None,) * 5
        return to_pre, None, None, *shared


class _Shared:
    """What backward needs of a tape: not its buffer, which checkpointing may have let go."""

    def __init__(self, tape: NeuronTape) -> None:
        self.used, self.memory, self.sums = tape.used, tape.memory, _Sums()
        self.shape, self.past_dtype = tape.buffer.shape, tape.past.dtype
        self.dtypes = [None if w is None else w.dtype for w in tape.weights.all()]

    def add_first(self, window: Tensor, back: Tensor, tick: int) -> Tensor:
        """Add a tick's gradient of the first layer; returns the trace's summed gradient."""
        sums = self.sums
        if sums.trace is None:
            sums.trace = full(back).new_zeros(self.shape)
        sums.trace[:, :, tick : tick + self.memory] += torch.bmm(
            back, self.used.first.transpose(1, 2)
        )
        sums.pending.append((window, back))
        if back.dtype not in (torch.bfloat16, torch.float16) or len(sums.pending) == _PENDING:
            self._settle()
        return sums.trace

    def add_second(self, gated: Tensor, back: Tensor) -> None:
        """Add a tick's gradient of the second layer."""
        weight, bias = self._weights()[2:]
        weight += torch.bmm(gated.transpose(1, 2), back)
        bias += back.sum(1, keepdim=True, dtype=bias.dtype)

    def shared_gradients(self) -> tuple[Tensor | None, ...]:
        """Gradients of the past and the weights, complete once the first tick has run."""
        self._settle()
        assert self.sums.trace is not None
        past = self.sums.trace[:, :, : self.memory - 1].to(self.past_dtype)
        found = dict(enumerate(self._weights()))
        self.sums = _Sums()  # for another backward through the same run
        return past, *(
            None if dtype is None else found[i].to(dtype) for i, dtype in enumerate(self.dtypes)
        )

    def _settle(self) -> None:
        if not self.sums.pending:
            return
        window, back = self._joined()
        weight, bias = self._weights()[:2]
        if weight.dtype == back.dtype:
            weight.baddbmm_(window.transpose(1, 2), back)
        else:
            weight += torch.bmm(window.transpose(1, 2), back)
        bias += back.sum(1, keepdim=True, dtype=bias.dtype)
        self.sums.pending.clear()

    def _weights(self) -> list[Tensor]:
        if not self.sums.weights:
            self.sums.weights.extend(
                torch.zeros_like(full(w)) for w in self.used.all() if w is not None
            )
        return self.sums.weights

    def _joined(self) -> tuple[Tensor, Tensor]:
        """Lay the pending ticks' windows, and their gradients, side by side."""
        parts = tuple(zip(*self.sums.pending, strict=True))
        if len(self.sums.pending) == 1:
            return self.sums.pending[0]
        if len(self.sums.pending) < _PENDING:
            return torch.cat(parts[0], 1), torch.cat(parts[1], 1)
        if not self.sums.joined:
            self.sums.joined = [torch.cat(part, 1) for part in parts]
        else:
            for part, room in zip(parts, self.sums.joined, strict=True):
                torch.cat(part, 1, out=room)
        return self.sums.joined[0], self.sums.joined[1]
