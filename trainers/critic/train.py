"""Training the head: pass/fail and pairwise loss; the penalty with the best rerank gain."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from trainers.config import CriticConfig
from trainers.critic.examples import Examples
from trainers.critic.model import FINAL, Critic, CriticSpec, Head, Standardiser
from trainers.critic.ranking import Array, gains

# Times critic.weight_decay, strongest first. On 200 MBPP problems, five-fold by problem, the middle
# ones rank best and their neighbours little worse.
PENALTIES = (10.0, 3.0, 1.0, 0.3, 0.1)
FOLDS = 2
_HISTORY = 20  # steps that L-BFGS remembers


@dataclass(frozen=True)
class Snapshot:
    """A head that competes: its penalty and its rerank gain on each validation problem."""

    penalty: float
    head: Head
    gains: Array


@dataclass(frozen=True)
class Trained:
    """A critic and which head it uses; ``gain`` is the validation gain it was chosen by."""

    critic: Critic
    chosen: Snapshot
    gain: float


def train(
    train_set: Examples,
    validation: Examples,
    spec: CriticSpec,
    config: CriticConfig,
    between_runs: Callable[[], None] = lambda: None,
) -> Trained:
    """Train a head for each penalty and keep the one that ranks validation problems best.

    A gate that tests a head on the problems it was chosen on would believe the luck of the choice.
    So each half of the validation problems also gets the head that the other half chose (``fold0``,
    ``fold1``): the gate scores every problem with one whose choice never saw it.

    Args:
        train_set: with both outcomes among its samples.
        validation: of other problems; may be empty, then the most regularised head is kept.
        spec: goes into the critic.
        config: penalties and passes.
        between_runs: called between units of work, may raise ``Stopped``.

    Returns:
        The same critic for the same data.
    """
    standardise = Standardiser.fit(train_set.inputs, spec.hidden)
    seen, passed = standardise(validation.inputs), validation.passed.numpy().astype(float)
    snapshots: list[Snapshot] = []
    with _one_thread():
        solver = _Solver(train_set, standardise(train_set.inputs))
        for factor in PENALTIES:
            between_runs()
            head = solver.solve(factor * config.weight_decay, config.epochs)
            found = gains(head(seen).numpy().astype(float), passed, validation.rows)
            snapshots.append(Snapshot(factor * config.weight_decay, head, found))
    folds = np.array([fold_of(problem_id) for problem_id in validation.problem_ids], dtype=int)
    chosen = _best(snapshots, np.ones(len(folds), dtype=bool))
    heads = {FINAL: chosen.head}
    for fold in range(FOLDS):
        heads[fold_head(fold)] = _best(snapshots, folds != fold).head
    final = Critic(spec, standardise, heads, torch.tensor([1.0, 0.0]))
    calibration = calibrate(final.logits(validation.inputs), validation.passed)
    gain = float(chosen.gains.mean()) if len(folds) else 0.0
    return Trained(Critic(spec, standardise, heads, calibration), chosen, gain)


def fold_of(problem_id: str) -> int:
    """Which half of the validation problems this one is in: fixed by its id."""
    return hashlib.sha256(problem_id.encode()).digest()[0] % FOLDS


def fold_head(fold: int) -> str:
    """Name the head that was chosen without the problems of ``fold``."""
    return f"fold{fold}"


def calibrate(logits: Tensor, passed: Tensor) -> Tensor:
    """(slope, shift) that make sigmoid(slope * logit + shift) the most likely P(pass).

    Source: Platt 1999, with his smoothed targets. The slope stays positive: an order is kept.
    """
    positive = float(passed.sum())
    negative = len(passed) - positive
    if not positive or not negative:
        return torch.tensor([1.0, 0.0])
    high, low = (positive + 1) / (positive + 2), 1 / (negative + 2)
    target = torch.where(passed > 0.5, high, low)
    log_slope, shift = torch.zeros((), requires_grad=True), torch.zeros((), requires_grad=True)
    optimiser = torch.optim.LBFGS([log_slope, shift], max_iter=100, line_search_fn="strong_wolfe")
    fixed = logits.detach()

    def closure() -> Tensor:
        optimiser.zero_grad()
        scaled = log_slope.clamp(-5, 5).exp() * fixed + shift
        loss = binary_cross_entropy_with_logits(scaled, target)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return torch.stack([log_slope.detach().clamp(-5, 5).exp(), shift.detach()])


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep torch to one thread: steps this small lose by more, and sums then have one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _best(
    snapshots: Sequence[Snapshot], mask: "np.ndarray[tuple[int], np.dtype[np.bool_]]"
) -> Snapshot:
    """Take the highest mean gain; of equal ones the first, which is the most regularised."""
    if not mask.any():
        return snapshots[0]
    return max(snapshots, key=lambda snapshot: round(float(snapshot.gains[mask].mean()), 9))


class _Solver:
    """The heads of falling penalties over the same samples; each starts where the last one ended.

    Mean over problems of cross-entropy, plus of -log P(a passing sample outranks a failing one),
    plus penalty / 2 * |weight|^2. Every problem weighs the same in the first, every one with both
    outcomes in the second. This is convex: the head is its minimum, whatever the start.
    """

    def __init__(self, data: Examples, inputs: Tensor) -> None:
        self._inputs, self._passed = inputs.double(), data.passed.double()
        self._weight = torch.zeros(inputs.shape[1], dtype=torch.double, requires_grad=True)
        self._offset = torch.zeros((), dtype=torch.double, requires_grad=True)
        sizes = torch.bincount(data.group).double()
        self._share = 1 / (sizes[data.group] * len(sizes))  # (samples,) sums to 1
        better, worse, weights = [], [], []
        passed = data.passed.numpy() > 0.5
        for rows in data.rows:
            won, lost = rows[passed[rows]], rows[~passed[rows]]
            better.append(np.repeat(won, len(lost)))
            worse.append(np.tile(lost, len(won)))
            weights.append(np.full(len(better[-1]), 1 / max(1, len(better[-1]))))
        self._better = torch.from_numpy(np.concatenate(better))  # (pairs,) numbers of samples
        self._worse = torch.from_numpy(np.concatenate(worse))
        of_pairs = torch.from_numpy(np.concatenate(weights))
        self._pair_share = of_pairs / of_pairs.sum().clamp(min=1)  # (pairs,) sums to 1, or none

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
        each = binary_cross_entropy_with_logits(logits, self._passed, reduction="none")
        lost = softplus(logits[self._worse] - logits[self._better])
        return (each * self._share).sum() + (lost * self._pair_share).sum()
