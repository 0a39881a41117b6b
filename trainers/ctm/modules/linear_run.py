"""LinearRun: a linear map that a run calls tick after tick; its weight gradient is summed once.

At batch 16 a tick's weight gradient is a product of few rows that reads and writes the whole
weight; one product over all ticks' rows costs little more than one tick's. Under autocast the
weight is converted once for the run.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class LinearRun:
    """Calls of one ``nn.Linear`` in a recurrence.

    Each call must depend on the one before it, so that backward reaches the first call last: that
    one hands the summed gradients over.

    Args:
        linear: with bias.
        dtype: of the products.
    """

    def __init__(self, linear: nn.Linear, dtype: torch.dtype) -> None:
        self.linear = linear
        self.weight = linear.weight.detach().to(dtype)
        self.bias = linear.bias.detach().to(dtype)
        self.parts: list[tuple[Tensor, Tensor]] = []
        self.first = True

    def __call__(self, inputs: Tensor) -> Tensor:
        """(B, in) to (B, out), of the products' type."""
        shared = (self.linear.weight, self.linear.bias) if self.first else (None, None)
        made = _LinearCall.apply(inputs, self, self.first, *shared)  # type: ignore[no-untyped-call]
        self.first = False
        return cast(Tensor, made)


class _LinearCall(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, run: LinearRun, first: bool, *_shared: Tensor) -> Tensor:
        used = inputs.to(run.weight.dtype)
        ctx.save_for_backward(used)
        ctx.weight, ctx.parts, ctx.first, ctx.dtype = run.weight, run.parts, first, inputs.dtype
        ctx.given = run.linear.weight.dtype
        return torch.addmm(run.bias, used, run.weight.t())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        (used,) = ctx.saved_tensors
        ctx.parts.append((used, gradient))
        shared: tuple[Any, Any] = (None, None)
        if ctx.first:
            inputs, gradients = (torch.cat(part) for part in zip(*ctx.parts, strict=True))
            ctx.parts.clear()
            weight, bias = gradients.t() @ inputs, gradients.sum(0, dtype=ctx.given)
            shared = weight.to(ctx.given), bias
        return (gradient @ ctx.weight).to(ctx.dtype), None, None, *shared
