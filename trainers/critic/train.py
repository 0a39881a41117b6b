"""Training the head: pass/fail and pairwise loss; the checkpoint with the best rerank gain."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from trainers.config import CriticConfig
from trainers.critic.examples import Examples
from trainers.critic.model import FINAL, Critic, CriticSpec, Head, Standardiser, State
from trainers.critic.ranking import Array, gains

PROBLEMS_A_STEP = 32
PENALTIES = (100.0, 10.0, 1.0)  # times the configured weight decay, strongest first
WIDTHS = (0, 16)  # hidden units; 0 is the linear head
SNAPSHOTS = 8  # checkpoints of a run that compete, at geometric distances
FOLDS = 2


@dataclass(frozen=True)
class Snapshot:
    """A checkpoint that competes: its head and its rerank gain on each validation problem."""

    width: int
    penalty: float
    epoch: int
    state: State
    gains: Array


@dataclass(frozen=True)
class Trained:
    """A critic and which checkpoint it is; ``gain`` is the validation gain it was chosen by."""

    critic: Critic
    chosen: Snapshot
    gain: float


def train(
    train_set: Examples,
    validation: Examples,
    spec: CriticSpec,
    config: CriticConfig,
    seed: int,
    between_runs: Callable[[], None] = lambda: None,
) -> Trained:
    """Train all heads of the grid and keep the checkpoint that ranks validation problems best.

    A gate that tests a checkpoint on the problems it was chosen on would believe the luck of the
    choice. So each half of the validation problems also gets the checkpoint that the other half
    chose (head ``fold0``, ``fold1``): the gate scores every problem with the one that never saw it.

    Args:
        train_set: with both outcomes among its samples.
        validation: of other problems; may be empty, then the most regularised head is kept.
        spec: goes into the critic.
        config: epochs, learning rate, weight decay.
        seed: same seed and data, same critic.
        between_runs: called between units of work, may raise ``Stopped``.
    """
    standardise = Standardiser.fit(train_set.inputs, spec.hidden)
    inputs, seen = standardise(train_set.inputs), standardise(validation.inputs)
    snapshots: list[Snapshot] = []
    with _one_thread():
        for width, factor in product(WIDTHS, PENALTIES):
            between_runs()
            penalty = factor * config.weight_decay
            snapshots += _run(train_set, inputs, validation, seen, width, penalty, config, seed)
    folds = np.array([fold_of(problem_id) for problem_id in validation.problem_ids], dtype=int)
    chosen = _best(snapshots, np.ones(len(folds), dtype=bool))
    heads = {FINAL: chosen.state}
    for fold in range(FOLDS):
        heads[fold_head(fold)] = _best(snapshots, folds != fold).state
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


def _run(
    data: Examples,
    inputs: Tensor,
    validation: Examples,
    seen: Tensor,
    width: int,
    penalty: float,
    config: CriticConfig,
    seed: int,
) -> list[Snapshot]:
    """One head over all epochs; its checkpoints with their validation gains."""
    head = Head(inputs.shape[1], width, seed)
    optimiser = torch.optim.Adam(head.parameters(), lr=config.learning_rate)
    random = np.random.default_rng(seed)
    passed = validation.passed.numpy().astype(float)
    moments = set(np.geomspace(1, config.epochs, SNAPSHOTS).round().astype(int).tolist())
    snapshots = []
    for epoch in range(1, config.epochs + 1):
        shuffled = random.permutation(len(data.rows))
        for start in range(0, len(shuffled), PROBLEMS_A_STEP):
            chosen = shuffled[start : start + PROBLEMS_A_STEP]
            rows = torch.from_numpy(np.concatenate([data.rows[i] for i in chosen]))
            optimiser.zero_grad()
            loss = _loss(head(inputs[rows]), data.passed[rows], data.group[rows])
            weights = sum(p.square().sum() for n, p in head.named_parameters() if n != "offset")
            (loss + penalty * weights / 2).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        if epoch in moments:
            state = {name: p.detach().clone() for name, p in head.named_parameters()}
            with torch.inference_mode():
                scores = head(seen).numpy().astype(float)
            found = gains(scores, passed, validation.rows)
            snapshots.append(Snapshot(width, penalty, epoch, state, found))
    return snapshots


def _loss(logits: Tensor, passed: Tensor, group: Tensor) -> Tensor:
    """Mean over problems of cross-entropy, plus of -log P(a passing sample outranks a failing one).

    Every problem weighs the same in the first, every one with both outcomes in the second.
    """
    number = torch.unique_consecutive(group, return_inverse=True)[1]
    size = torch.bincount(number).float()
    each = binary_cross_entropy_with_logits(logits, passed, reduction="none")
    loss = (each / size[number]).sum() / len(size)
    rivals = (number[:, None] == number) & (passed[:, None] > passed)  # (samples, samples)
    if not rivals.any():
        return loss
    first, second = rivals.nonzero(as_tuple=True)
    pairs = torch.bincount(number[first], minlength=len(size)).float()
    lost = softplus(logits[second] - logits[first]) / pairs[number[first]]
    return loss + lost.sum() / (pairs > 0).sum()
