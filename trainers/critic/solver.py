"""The head's training problem: a weighted sum of three losses, convex, solved to its minimum."""

from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from trainers.config import Loss
from trainers.critic.examples import Examples
from trainers.critic.model import Head

_HISTORY = 20  # steps that L-BFGS remembers
MIXES: tuple[Loss, ...] = get_args(Loss)


@dataclass(frozen=True)
class _Pairs:
    """Numbers of a passing and a failing sample of one problem; ``share`` (pairs,) sums to 1."""

    better: Tensor
    worse: Tensor
    share: Tensor


class Solver:
    """The heads of falling penalties over the same samples; each starts where the last one ended.

    The loss is the sum of those that the mix names, plus penalty / 2 * |weight|^2:

    - pointwise: cross-entropy of pass and fail, averaged within each problem, then over problems;
      balanced, passing and failing samples weigh the same in all;
    - pairwise: -log P(a passing sample outranks a failing one of its problem), as Bradley and
      Terry 1952 have it, averaged over a problem's pairs, then over the problems with both;
    - listwise: -log of the softmax mass on a problem's passing samples, as ListNet (Cao et al.
      2007) with pass and fail for relevance, averaged over the problems with both outcomes.

    A sample counts by its weight. All of it is convex but the listwise loss of
    problems with several passing samples, which the penalty and the start at zero keep well
    behaved: the same data give the same head.
    """

    def __init__(self, data: Examples, inputs: Tensor, loss: Loss, *, balanced: bool) -> None:
        """Prepare to solve.

        Args:
            data: outcomes, groups and weights of the samples.
            inputs: (samples, dim) standardised inputs.
            loss: which losses are summed.
            balanced: see above.
        """
        self._inputs, self._passed = inputs.double(), data.passed.double()
        self._weight = torch.zeros(inputs.shape[1], dtype=torch.double, requires_grad=True)
        self._offset = torch.zeros((), dtype=torch.double, requires_grad=True)
        self._parts = loss.split("+")
        weights = data.weights.double()
        self._group, self._n_groups = data.group, len(data.problem_ids)
        self._share = _point_share(data, weights, balanced)
        self._pairs = _pairs_of(data, weights)
        self._log_weights = weights.log()
        passes = torch.zeros(self._n_groups).index_add_(0, data.group, data.passed)
        sizes = torch.bincount(data.group, minlength=self._n_groups)
        self._both = (passes > 0) & (passes < sizes)

    def solve(self, penalty: float, passes: int) -> Head:
        """Minimise within about ``passes`` passes over the samples."""
        optimiser = torch.optim.LBFGS(
            [self._weight, self._offset],
            max_iter=passes,
            history_size=_HISTORY,
            tolerance_grad=1e-6,
            line_search_fn="strong_wolfe",
        )

        def closure() -> Tensor:
            optimiser.zero_grad()
            loss = self._loss() + penalty * self._weight.square().sum() / 2
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimiser.step(closure)  # type: ignore[no-untyped-call]
        return Head(self._weight.detach().float(), self._offset.detach().float())

    def _loss(self) -> Tensor:
        logits = self._inputs @ self._weight + self._offset  # (samples,)
        total = torch.zeros((), dtype=torch.double)
        if "pointwise" in self._parts:
            each = binary_cross_entropy_with_logits(logits, self._passed, reduction="none")
            total = total + (each * self._share).sum()
        if "pairwise" in self._parts:
            lost = softplus(logits[self._pairs.worse] - logits[self._pairs.better])
            total = total + (lost * self._pairs.share).sum()
        if "listwise" in self._parts and self._both.any():
            total = total + self._listwise(logits)
        return total

    def _listwise(self, logits: Tensor) -> Tensor:
        weighted = logits + self._log_weights
        everyone = self._log_sum(weighted)
        passing = self._log_sum(torch.where(self._passed > 0.5, weighted, -torch.inf))
        return (everyone[self._both] - passing[self._both]).mean()

    def _log_sum(self, values: Tensor) -> Tensor:
        """(groups,) log of the sum of exponentials of (samples,); -inf for a group with none."""
        top = torch.full((self._n_groups,), -torch.inf, dtype=torch.double)
        top = top.scatter_reduce(0, self._group, values.detach(), "amax")
        top = torch.where(top.isfinite(), top, 0.0)
        raised = (values - top[self._group]).exp()
        return torch.zeros_like(top).index_add(0, self._group, raised).log() + top


def _point_share(data: Examples, weights: Tensor, balanced: bool) -> Tensor:
    """(samples,) that sum to 1; every problem weighs the same, then both outcomes if balanced."""
    of_problem = torch.zeros(len(data.problem_ids), dtype=torch.double)
    of_problem = of_problem.index_add(0, data.group, weights)
    share = weights / (of_problem[data.group] * len(data.problem_ids))
    passed = data.passed > 0.5
    if balanced and data.has_both:
        half = torch.where(passed, share[passed].sum(), share[~passed].sum())
        share = share / (2 * half)
    return share


def _pairs_of(data: Examples, weights: Tensor) -> _Pairs:
    better, worse, shares = [np.empty(0, int)], [np.empty(0, int)], [np.empty(0)]
    passed, weigh = data.passed.numpy() > 0.5, weights.numpy()
    for rows in data.rows:
        won, lost = rows[passed[rows]], rows[~passed[rows]]
        better.append(np.repeat(won, len(lost)))
        worse.append(np.tile(lost, len(won)))
        own = weigh[better[-1]] * weigh[worse[-1]]
        shares.append(own / own.sum() if len(own) else own)
    share = torch.from_numpy(np.concatenate(shares))
    return _Pairs(
        torch.from_numpy(np.concatenate(better)),
        torch.from_numpy(np.concatenate(worse)),
        share / share.sum().clamp(min=1),
    )
