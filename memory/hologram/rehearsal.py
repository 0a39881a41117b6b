"""Training of a neural memory on new facts among old ones, so that the old ones stay.

Rehearsal: Robins 1995, "Catastrophic forgetting, rehearsal and pseudorehearsal".
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from memory.hologram.neural_memory import NeuralMemoryNetwork
from memory.hologram.packed import unpack


@dataclass(frozen=True)
class Schedule:
    """How new facts are learned.

    ``chunk`` facts at a time. Half of a batch are new ones, half are drawn from all old ones, of
    which ``replay`` at most are held, as bits (1.3 kB each at 10,000 dimensions), drawn from the
    store. ``noise`` is the share of a key's bits that are turned in each step: a query is never its
    key to the bit. A chunk is done when the mean loss of an epoch is within ``enough`` nats of the
    least that is possible, or after ``max_epochs`` and ``max_steps``, whichever is later. Then up
    to ``checked`` facts are asked for, and those that are not recalled are learned once more, like
    new ones; that up to ``repairs`` times.
    """

    rate: float = 1e-3
    batch: int = 64
    chunk: int = 1_000
    replay: int = 50_000
    noise: float = 0.1
    enough: float = 0.02
    max_epochs: int = 60
    max_steps: int = 300
    checked: int = 5_000
    repairs: int = 3


@dataclass(frozen=True)
class Facts:
    """Packed keys (n, words) with the label index of each (n,)."""

    keys: NDArray[np.uint64]
    targets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, places: Tensor) -> "Facts":
        """Some of them."""
        chosen = places.numpy()
        return Facts(self.keys[chosen], self.targets[chosen])

    def join(self, other: "Facts") -> "Facts":
        """These, then the others."""
        return Facts(
            np.concatenate([self.keys, other.keys]), np.concatenate([self.targets, other.targets])
        )

    def tensors(self, dimensions: int) -> tuple[Tensor, Tensor]:
        """Keys, int8 (n, dimensions), and targets, int64 (n,)."""
        return unpack(self.keys, dimensions), torch.from_numpy(self.targets)


def learn(
    network: NeuralMemoryNetwork, new: Facts, old: Facts, schedule: Schedule, seed: int
) -> int:
    """Train the network in place on new facts, among old ones that are drawn for each batch.

    The same arguments give the same weights; the caller's random state is left as it is.

    Returns:
        How many epochs it took.
    """
    known = old.join(new)
    labels = _LabelsOfKeys(known)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        epochs = _learn(network, new, old, labels, schedule)
        for _ in range(schedule.repairs):
            some = known.take(torch.randperm(len(known))[: schedule.checked])
            lost = some.take(torch.nonzero(~_recalls(network, some, labels))[:, 0])
            if not len(lost):
                break
            epochs += _learn(network, lost, known, labels, schedule)
    return epochs


class _LabelsOfKeys:
    """Which labels each key has: a fix of several edits gives one key several.

    Any of them is right, and no network can bring the loss of such a fact below the logarithm of
    their number.
    """

    def __init__(self, facts: Facts) -> None:
        self._labels: defaultdict[int, set[int]] = defaultdict(set)
        for key, target in zip(facts.keys, facts.targets.tolist(), strict=True):
            self._labels[hash(key.tobytes())].add(target)

    def least_losses(self, facts: Facts) -> Tensor:
        """The least loss that each fact can have, in nats: float32 (n,)."""
        counts = [len(self._labels[hash(key.tobytes())]) for key in facts.keys]
        return torch.tensor(counts, dtype=torch.float32).log()

    def are_right(self, facts: Facts, answers: Tensor) -> Tensor:
        """For each fact whether its key has the label of that index: bool (n,)."""
        pairs = zip(facts.keys, answers.tolist(), strict=True)
        right = [answer in self._labels[hash(key.tobytes())] for key, answer in pairs]
        return torch.tensor(right, dtype=torch.bool)


@torch.no_grad()
def _recalls(network: NeuralMemoryNetwork, facts: Facts, labels: _LabelsOfKeys) -> Tensor:
    """For each fact whether its key recalls a label of its own first: bool (n,)."""
    found = []
    for places in torch.split(torch.arange(len(facts)), 1_000):
        part = facts.take(places)
        keys, _ = part.tensors(network.dimensions)
        answers = network(keys.to(network.head.weight.device)).argmax(dim=-1)
        found.append(labels.are_right(part, answers))
    return torch.cat(found)


def _learn(
    network: NeuralMemoryNetwork,
    new: Facts,
    old: Facts,
    labels: _LabelsOfKeys,
    schedule: Schedule,
) -> int:
    device = network.head.weight.device
    optimiser = torch.optim.Adam(network.parameters(), lr=schedule.rate)
    epoch = steps = 0
    network.train()
    try:
        while epoch < schedule.max_epochs or steps < schedule.max_steps:
            epoch += 1
            excess = []
            for batch in _batches(new, old, schedule.batch):
                keys, targets = batch.tensors(network.dimensions)
                inputs = turned(keys, schedule.noise).to(device)
                loss = nn.functional.cross_entropy(network(inputs), targets.to(device))
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                excess.append(float(loss.detach()) - float(labels.least_losses(batch).mean()))
            steps += len(excess)
            if sum(excess) / len(excess) < schedule.enough:
                break
    finally:
        network.eval()
    return epoch


def _batches(new: Facts, old: Facts, size: int) -> Iterator[Facts]:
    """An epoch: every new fact once, in each batch with as many old ones as half a batch has."""
    half = size // 2 if len(old) else size
    for part in torch.split(torch.randperm(len(new)), half):
        batch = new.take(part)
        yield batch.join(old.take(torch.randint(len(old), (half,)))) if len(old) else batch


def turned(keys: Tensor, share: float, generator: torch.Generator | None = None) -> Tensor:
    """The keys with this share of their bits turned at random (None: by the global state)."""
    if share == 0:
        return keys
    # Bytes and not floats: an eighth of the time, and 1/256 is fine enough.
    dice = torch.randint(256, keys.shape, dtype=torch.uint8, generator=generator)
    return torch.where(dice < round(share * 256), -keys, keys)
