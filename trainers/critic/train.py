"""Training the head in two steps, and the choice among heads by rerank gain on validation."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainers.config import CriticConfig
from trainers.critic.examples import Examples
from trainers.critic.model import FINAL, Critic, CriticSpec, Head, Standardiser
from trainers.critic.ranking import Array, gains
from trainers.critic.solver import Solver
from trainers.platt import calibrate

# Times critic.weight_decay, strongest first: of the head on hidden states, and of the second step.
PENALTIES = (3.0, 1.0, 0.3)
SECOND = (10.0, 3.0)
FOLDS = 2
CROSS_FITS = 5
RANK = 400  # directions of the hidden states that are kept

Key = tuple[float, ...]


@dataclass(frozen=True)
class Snapshot:
    """A head that competes, by what tells it apart, and its gain on each validation problem."""

    key: Key
    head: Head
    gains: Array


@dataclass(frozen=True)
class Trained:
    """A critic and which head it uses; ``gain`` is the validation gain it was chosen by.

    ``train_logits`` are (samples,) of the train samples by heads that did not see their problem;
    None where the model cannot be taken back so far.
    """

    critic: Critic
    chosen: Snapshot
    gain: float
    train_logits: Array | None = None


def train(
    samples: Examples,
    validation: Examples,
    spec: CriticSpec,
    config: CriticConfig,
    between_runs: Callable[[], None] = lambda: None,
) -> Trained:
    """Train a head for each pair of penalties and keep the one that ranks validation best.

    The first step learns from the hidden states alone, the second from the first's logit and the
    scalars. The logit that the second step learns from is of heads that did not see the problem
    (stacking, Wolpert 1992): a linear head on everything at once would trust what the hidden states
    say about problems that they know by heart. Both steps are linear and end as one head.

    A gate that tests a head on the problems it was chosen on would believe the luck of the choice.
    So each half of the validation problems also gets the head that the other half chose (``fold0``,
    ``fold1``): the gate scores every problem with one whose choice never saw it.

    Args:
        samples: of the train problems, with both outcomes among them.
        validation: of other problems; may be empty, then the most regularised head is kept.
        spec: goes into the critic.
        config: loss, penalties and passes.
        between_runs: called between units of work, may raise ``Stopped``.

    Returns:
        The same critic for the same data.
    """
    stacks = _Stacks(samples, spec, config, between_runs)
    with one_thread():
        heads = [
            ((first, second), stacks.head(first, second))
            for first in (PENALTIES if spec.hidden else (0.0,))
            for second in (SECOND if len(spec.scalars) else (0.0,))
        ]
        trained = choose(heads, stacks.standardise, validation, spec)
        return replace(trained, train_logits=stacks.cross_fitted(*trained.chosen.key))


def fit(samples: Examples, spec: CriticSpec, config: CriticConfig) -> Critic:
    """Train the middle head alone, uncalibrated: nothing is chosen."""
    stacks = _Stacks(samples, spec, config, lambda: None)
    key = (PENALTIES[1] if spec.hidden else 0.0, SECOND[-1] if len(spec.scalars) else 0.0)
    with one_thread():
        heads = {FINAL: stacks.head(*key)}
    return Critic(spec, stacks.standardise, heads, torch.tensor([1.0, 0.0]), {})


def choose(
    heads: Sequence[tuple[Key, Head]],
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


def number_of(problem_id: str) -> int:
    """A number of 0 to 255 that is fixed by the problem and says nothing about it."""
    return hashlib.sha256(problem_id.encode()).digest()[0]


def fold_of(problem_id: str) -> int:
    """Give the validation fold of a problem, fixed by its id."""
    return number_of(problem_id) % FOLDS


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


class _Stacks:
    """Both steps for every pair of penalties; what several need is computed once."""

    def __init__(
        self,
        samples: Examples,
        spec: CriticSpec,
        config: CriticConfig,
        between_runs: Callable[[], None],
    ) -> None:
        self._samples, self._config, self._between = samples, config, between_runs
        self._hidden = spec.hidden
        self._distinct = samples.distinct()
        self.standardise = Standardiser.fit(self._distinct.inputs, spec.hidden)
        self._inputs = self.standardise(samples.inputs)
        self._first: dict[float, tuple[Head, Tensor]] = {}
        if spec.hidden:
            with one_thread():
                self._first = self._first_steps()

    def head(self, first: float, second: float) -> Head:
        """Both steps as one linear map from standardised inputs."""
        self._between()
        if not self._hidden:
            return self._solve(self._samples, self._inputs, second)
        whole, logits = self._first[first]
        if not second:  # there are no scalars
            return whole
        mean, deviation = logits.mean(), logits.std().clamp(min=1e-6)
        head = self._solve(self._samples, self._second_inputs(first), second)
        factor = head.weight[0] / (deviation * self._block)
        weight = torch.cat([factor * whole.weight, head.weight[1:]])
        return Head(weight, head.offset + factor * (whole.offset - mean))

    def cross_fitted(self, first: float, second: float) -> Array:
        """(samples,) logits of the chosen pair, each problem's by heads that did not see it."""
        if self._hidden and not second:
            return self._first[first][1].numpy().astype(float)
        inputs = self._second_inputs(first) if self._hidden else self._inputs
        out = torch.zeros(len(self._samples.passed))
        for inside, outside in _folds(self._samples):
            self._between()
            head = self._solve(self._samples.take(inside), inputs[inside], second)
            out[outside] = head(inputs[outside])
        return out.numpy().astype(float)

    @property
    def _block(self) -> float:
        return float(np.sqrt(1 + self._inputs.shape[1] - self._hidden))

    def _second_inputs(self, first: float) -> Tensor:
        """(samples, 1 + scalars): the first step's logit, standardised, and the scalars."""
        logits = self._first[first][1]
        own = (logits - logits.mean()) / (logits.std().clamp(min=1e-6) * self._block)
        return torch.cat([own[:, None], self._inputs[:, self._hidden :]], dim=1)

    def _first_steps(self) -> dict[float, tuple[Head, Tensor]]:
        """By penalty the head on all train problems, and the cross-fitted logits of the samples."""
        logits = {penalty: torch.zeros(len(self._samples.passed)) for penalty in PENALTIES}
        everything = self._samples.inputs
        for inside, outside in _folds(self._samples):
            for penalty, head in self._hidden_heads(self._samples.take(inside).distinct()):
                seen = self.standardise(everything[outside])[:, : self._hidden]
                logits[penalty][outside] = head(seen)
        whole = dict(self._hidden_heads(self._distinct))
        return {penalty: (whole[penalty], logits[penalty]) for penalty in PENALTIES}

    def _hidden_heads(self, data: Examples) -> Iterator[tuple[float, Head]]:
        """Solve on the main directions of the hidden states; the heads are on these themselves."""
        self._between()
        inputs = self.standardise(data.inputs)[:, : self._hidden]
        centre = inputs.mean(0)
        _, _, directions = torch.linalg.svd(inputs - centre, full_matrices=False)
        directions = directions[:RANK]  # (rank, hidden)
        solver = self._solver(data, (inputs - centre) @ directions.T)
        for penalty in PENALTIES:
            head = solver.solve(penalty * self._config.weight_decay, self._config.epochs)
            weight = head.weight @ directions
            yield penalty, Head(weight, head.offset - weight @ centre)

    def _solve(self, data: Examples, inputs: Tensor, penalty: float) -> Head:
        return self._solver(data, inputs).solve(
            penalty * self._config.weight_decay, self._config.epochs
        )

    def _solver(self, data: Examples, inputs: Tensor) -> Solver:
        return Solver(data, inputs, self._config.loss, balanced=self._config.balanced)


def _folds(samples: Examples) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows of the problems to learn from and of those held out, in turn, where both are there."""
    parts = np.array([number_of(one) % CROSS_FITS for one in samples.problem_ids])
    of_sample = parts[samples.group.numpy()]
    for part in range(CROSS_FITS):
        inside, outside = np.flatnonzero(of_sample != part), np.flatnonzero(of_sample == part)
        if len(outside) and len(inside) and samples.take(inside).has_both:
            yield inside, outside


def _best(snapshots: Sequence[Snapshot], mask: NDArray[np.bool_]) -> Snapshot:
    """Take the highest mean gain; of equal ones the first, which is the most regularised."""
    if not mask.any():
        return snapshots[0]
    return max(snapshots, key=lambda snapshot: round(float(snapshot.gains[mask].mean()), 9))
