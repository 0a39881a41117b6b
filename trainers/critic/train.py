"""Training the head: a head for each penalty, and the choice by rerank gain on validation."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainers.config import CriticConfig
from trainers.critic.calibrate import calibrate
from trainers.critic.examples import Examples
from trainers.critic.model import FINAL, Critic, CriticSpec, Head, Standardiser
from trainers.critic.ranking import Array, gains
from trainers.critic.solver import Solver

# Times critic.weight_decay, strongest first. On 200 MBPP problems, five-fold by problem, the middle
# ones rank best and their neighbours little worse.
PENALTIES = (10.0, 3.0, 1.0, 0.3, 0.1)
FOLDS = 2
CROSS_FITS = 5


@dataclass(frozen=True)
class Snapshot:
    """A head that competes, by its penalty or number, and its gain on each validation problem."""

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
    weight: Tensor | None = None,
) -> Trained:
    """Train a head for each penalty and keep the one that ranks validation problems best.

    A gate that tests a head on the problems it was chosen on would believe the luck of the choice.
    So each half of the validation problems also gets the head that the other half chose (``fold0``,
    ``fold1``): the gate scores every problem with one whose choice never saw it.

    Args:
        train_set: with both outcomes among its samples, each normal form once.
        validation: of other problems; may be empty, then the most regularised head is kept.
        spec: goes into the critic.
        config: loss, penalties and passes.
        between_runs: called between units of work, may raise ``Stopped``.
        weight: (samples,) of the train samples, such as those of mined ones; None: all 1.

    Returns:
        The same critic for the same data.
    """
    standardise = Standardiser.fit(train_set.inputs, spec.hidden)
    heads: list[tuple[float, Head]] = []
    with one_thread():
        solver = _solver(train_set, standardise, config, weight)
        for factor in PENALTIES:
            between_runs()
            penalty = factor * config.weight_decay
            heads.append((penalty, solver.solve(penalty, config.epochs)))
    return choose(heads, standardise, validation, spec)


def choose(
    heads: Sequence[tuple[float, Head]],
    standardise: Standardiser,
    validation: Examples,
    spec: CriticSpec,
) -> Trained:
    """Make a critic of the head with the highest rerank gain; of equal ones the first.

    Args:
        heads: that compete, each with what tells it apart.
        standardise: what they see the inputs through.
        validation: by whose problems is chosen, and calibrated.
        spec: goes into the critic.
    """
    seen, passed = standardise(validation.inputs), validation.outcomes
    with one_thread():
        snapshots = [
            Snapshot(key, head, gains(head(seen).numpy().astype(float), passed, validation.rows))
            for key, head in heads
        ]
        folds = np.array([fold_of(problem_id) for problem_id in validation.problem_ids], dtype=int)
        chosen = _best(snapshots, np.ones(len(folds), dtype=bool))
        used = {FINAL: chosen.head}
        used |= {fold_head(fold): _best(snapshots, folds != fold).head for fold in range(FOLDS)}
        plain = Critic(spec, standardise, used, torch.tensor([1.0, 0.0]), {})
        # Calibrated by heads that did not see the problem's outcome in their choice.
        calibration = calibrate(held_out_logits(plain, validation), validation.passed)
    gain = float(chosen.gains.mean()) if len(chosen.gains) else 0.0
    return Trained(replace(plain, calibration=calibration), chosen, gain)


def held_out_logits(critic: Critic, validation: Examples) -> Tensor:
    """(samples,) of validation, each problem by the head that was chosen without it."""
    logits = torch.empty(len(validation.passed))
    folds = torch.tensor([fold_of(problem_id) for problem_id in validation.problem_ids] or [0])
    of_sample = folds[validation.group]
    for fold in range(FOLDS):
        rows = of_sample == fold
        logits[rows] = critic.logits(validation.inputs[rows], fold_head(fold))
    return logits


def cross_fitted_logits(
    train_set: Examples,
    target: Examples,
    spec: CriticSpec,
    config: CriticConfig,
    penalty: float,
    weight: Tensor | None = None,
    between_runs: Callable[[], None] = lambda: None,
) -> Tensor:
    """(samples of ``target``,) of train problems, each by a head that never saw its problem.

    What is learned on top of the critic must meet scores on train as wide of the mark as they will
    be on new problems (stacking, Wolpert 1992).
    """
    own = torch.ones(len(train_set.passed)) if weight is None else weight
    parts = [crc(problem_id) % CROSS_FITS for problem_id in train_set.problem_ids]
    logits = torch.zeros(len(target.passed))
    for part in range(CROSS_FITS):
        between_runs()
        inside = {p for p, its in zip(train_set.problem_ids, parts, strict=True) if its == part}
        kept = _rows_of(train_set, inside, wanted=False)
        fitted = train_set.take(kept)
        rows = torch.from_numpy(_rows_of(target, inside, wanted=True))
        if not fitted.has_both or not len(rows):
            continue
        model = fit(fitted, spec, config, penalty, own[torch.from_numpy(kept)])
        logits[rows] = model.logits(target.inputs[rows])
    return logits


def fit(
    data: Examples,
    spec: CriticSpec,
    config: CriticConfig,
    penalty: float,
    weight: Tensor | None = None,
) -> Critic:
    """Train one head under one penalty, uncalibrated: nothing is chosen."""
    standardise = Standardiser.fit(data.inputs, spec.hidden)
    with one_thread():
        head = _solver(data, standardise, config, weight).solve(penalty, config.epochs)
    return Critic(spec, standardise, {FINAL: head}, torch.tensor([1.0, 0.0]), {})


def crc(problem_id: str) -> int:
    """A number that is fixed by the problem and says nothing about it."""
    return hashlib.sha256(problem_id.encode()).digest()[0]


def fold_of(problem_id: str) -> int:
    """Give the validation fold of a problem, fixed by its id."""
    return crc(problem_id) % FOLDS


def fold_head(fold: int) -> str:
    """Name the head that was chosen without the problems of ``fold``."""
    return f"fold{fold}"


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch to one thread: steps this small lose by more, and sums then have one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _solver(
    data: Examples, standardise: Standardiser, config: CriticConfig, weight: Tensor | None
) -> Solver:
    own = torch.ones(len(data.passed)) if weight is None else weight
    inputs = standardise(data.inputs)
    return Solver(data, inputs, config.loss, balanced=config.balanced, weight=own)


def _rows_of(data: Examples, problems: set[str], *, wanted: bool) -> NDArray[np.int64]:
    kept = [
        rows
        for problem_id, rows in zip(data.problem_ids, data.rows, strict=True)
        if (problem_id in problems) == wanted
    ]
    rows: NDArray[np.int64] = np.concatenate([*kept, np.empty(0, dtype=np.int64)])
    return rows


def _best(snapshots: Sequence[Snapshot], mask: NDArray[np.bool_]) -> Snapshot:
    """Take the highest mean gain; of equal ones the first, which is the most regularised."""
    if not mask.any():
        return snapshots[0]
    return max(snapshots, key=lambda snapshot: round(float(snapshot.gains[mask].mean()), 9))
