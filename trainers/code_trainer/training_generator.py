"""Teacher forcing of the generator's network: a step is learned with the true steps before it."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainers.code_trainer.choices import HEADER_STEPS
from trainers.code_trainer.network import CodeGeneratorNetwork, NetworkSpec
from trainers.code_trainer.prompt import IGNORED, Example, inputs_of, learnable, targets_of
from trainers.errors import TrainerError

PATTERN_SHARE = 0.2
"""Weight of the pattern head's loss beside the decoder's."""


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how fast. ``seconds``: no epoch begins after that; None is no limit."""

    epochs: int = 20
    seconds: float | None = None
    batch: int = 32
    rate: float = 1e-3
    warmup: float = 0.05
    decay: float = 0.01
    patience: int = 4
    seed: int = 0


@dataclass(frozen=True)
class GeneratorFigures:
    """How well true scripts are foretold, each step with the true steps before it.

    ``loss`` in nats a learnable step; shares of right steps: all, the operation, both places, the
    tokens with ``<END>``; ``exact``: the share of scripts with every step right, which is that of
    greedy generation. A token that the vocabulary lacks counts as wrong.
    """

    loss: float
    steps: float
    operation: float
    span: float
    tokens: float
    exact: float
    n: int


@dataclass(frozen=True)
class Trained:
    """The network of the epoch with the least validation loss, and the figures of all epochs."""

    network: CodeGeneratorNetwork
    best: int
    history: tuple[GeneratorFigures, ...]
    seconds: float


def train_generator(
    train: Sequence[Example],
    validation: Sequence[Example],
    spec: NetworkSpec,
    plan: TrainingPlan,
    on_epoch: Callable[[int, GeneratorFigures], None] | None = None,
) -> Trained:
    """Train a new network; the same seed, examples and machine give the same one.

    Raises:
        TrainerError: there is nothing to train on or to choose by.
    """
    if not train or not validation:
        raise TrainerError(
            f"{len(train)} edit scripts to train on and {len(validation)} to choose by: import "
            "more tasks (`kent tasks import swe`, `kent tasks mine`)"
        )
    started = time.monotonic()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        network = CodeGeneratorNetwork(spec)
        optimiser = torch.optim.AdamW(
            network.parameters(), plan.rate, betas=(0.9, 0.98), weight_decay=plan.decay
        )
        total = plan.epochs * math.ceil(len(train) / plan.batch)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _schedule(total, plan.warmup))
        history: list[GeneratorFigures] = []
        best, kept = 0, deepcopy(network.state_dict())
        for epoch in range(plan.epochs):
            network.train()
            for batch in _batches(train, plan.batch):
                optimiser.zero_grad()
                torch.autograd.backward(_loss(network, batch))
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimiser.step()
                schedule.step()
            history.append(evaluate_generator(network, validation, plan.batch))
            if on_epoch is not None:
                on_epoch(epoch, history[-1])
            if history[-1].loss <= history[best].loss:
                best, kept = epoch, deepcopy(network.state_dict())
            late = plan.seconds is not None and time.monotonic() - started > plan.seconds
            if late or epoch - best >= plan.patience:
                break
    network.load_state_dict(kept)
    network.eval()
    return Trained(network, best, tuple(history), time.monotonic() - started)


@torch.no_grad()
def evaluate_generator(
    network: CodeGeneratorNetwork, examples: Sequence[Example], batch: int = 32
) -> GeneratorFigures:
    """The figures over some examples."""
    network.eval()
    loss, learned = 0.0, 0
    rows = []
    for start in range(0, len(examples), batch):
        part = examples[start : start + batch]
        given, asked = targets_of(part)
        logits = network.decode(network.encode(inputs_of([e.prompt for e in part])), given)
        wanted = learnable(asked)
        loss += float(_cross_entropy(logits, asked).sum())
        learned += int(wanted.sum())
        right = (logits.argmax(-1) == asked) & wanted
        for row, there in zip(right, asked != IGNORED, strict=True):
            rows.append(row[there])
    steps = torch.cat(rows).float()
    tokens = torch.cat([row[HEADER_STEPS:] for row in rows]).float()
    return GeneratorFigures(
        loss=loss / max(1, learned),
        steps=float(steps.mean()),
        operation=_mean([bool(row[0]) for row in rows]),
        span=_mean([bool(row[1:HEADER_STEPS].all()) for row in rows]),
        tokens=float(tokens.mean()),
        exact=_mean([bool(row.all()) for row in rows]),
        n=len(rows),
    )


def _loss(network: CodeGeneratorNetwork, batch: Sequence[Example]) -> Tensor:
    given, asked = targets_of(batch)
    encoded = network.encode(inputs_of([example.prompt for example in batch]))
    steps = _cross_entropy(network.decode(encoded, given), asked)
    loss = steps.sum() / learnable(asked).sum().clamp(min=1)
    patterns = torch.tensor([example.pattern for example in batch])
    known = (patterns >= 0) & (patterns < network.spec.patterns)
    if bool(known.any()):
        found = functional.cross_entropy(encoded.pattern_logits[known], patterns[known])
        loss = loss + PATTERN_SHARE * found
    return loss


def _cross_entropy(logits: Tensor, asked: Tensor) -> Tensor:
    """(batch, steps) nats; 0 where there is nothing to learn."""
    targets = torch.where(learnable(asked), asked, IGNORED)
    return functional.cross_entropy(
        logits.transpose(1, 2), targets, ignore_index=IGNORED, reduction="none"
    )


def _batches(examples: Sequence[Example], size: int) -> Iterator[list[Example]]:
    """In random order, but of similar size within a batch, so that little is filled up."""
    order: list[int] = torch.randperm(len(examples)).tolist()
    for start in range(0, len(order), 8 * size):
        near = sorted(order[start : start + 8 * size], key=lambda i: len(examples[i].choices))
        batches = [near[i : i + size] for i in range(0, len(near), size)]
        for place in torch.randperm(len(batches)).tolist():
            yield [examples[i] for i in batches[place]]


def _schedule(total: int, warmup: float) -> Callable[[int], float]:
    """Linear up over the first share of the steps, then a cosine down to a tenth."""
    first = max(1, round(warmup * total))

    def factor(step: int) -> float:
        if step < first:
            return (step + 1) / first
        return 0.55 + 0.45 * math.cos(math.pi * min(1.0, (step - first) / max(1, total - first)))

    return factor


def _mean(values: Sequence[bool]) -> float:
    return sum(values) / len(values)
