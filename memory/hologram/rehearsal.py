"""Training of a neural memory on new facts among old ones, so that the old ones stay.

Rehearsal: Robins 1995, "Catastrophic forgetting, rehearsal and pseudorehearsal".
"""

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
    key to the bit. A chunk is done when the mean loss (nats) of an epoch is below ``enough``, or
    after ``max_epochs``. Then up to ``checked`` facts are asked for, and those that are not
    recalled are learned once more, like new ones; that up to ``repairs`` times.
    """

    rate: float = 1e-3
    batch: int = 64
    chunk: int = 1_000
    replay: int = 50_000
    noise: float = 0.1
    enough: float = 0.02
    max_epochs: int = 60
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
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        epochs = _learn(network, new, old, schedule)
        known = old.join(new)
        for _ in range(schedule.repairs if len(old) else 0):
            some = known.take(torch.randperm(len(known))[: schedule.checked])
            lost = some.take(torch.nonzero(~recalls(network, some))[:, 0])
            if not len(lost):
                break
            epochs += _learn(network, lost, known, schedule)
    return epochs


@torch.no_grad()
def recalls(network: NeuralMemoryNetwork, facts: Facts) -> Tensor:
    """For each fact whether its key recalls its label first: bool (n,)."""
    found = [torch.zeros(0, dtype=torch.bool)]
    for places in torch.split(torch.arange(len(facts)), 1_000):
        keys, targets = facts.take(places).tensors(network.dimensions)
        best = network(keys.to(network.head.weight.device)).argmax(dim=-1).cpu()
        found.append(best == targets)
    return torch.cat(found)


def _learn(network: NeuralMemoryNetwork, new: Facts, old: Facts, schedule: Schedule) -> int:
    device = network.head.weight.device
    optimiser = torch.optim.Adam(network.parameters(), lr=schedule.rate)
    network.train()
    try:
        for epoch in range(1, schedule.max_epochs + 1):
            losses = []
            for batch in _batches(new, old, schedule.batch):
                keys, targets = batch.tensors(network.dimensions)
                inputs = turned(keys, schedule.noise).to(device)
                loss = nn.functional.cross_entropy(network(inputs), targets.to(device))
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                losses.append(float(loss.detach()))
            if sum(losses) / len(losses) < schedule.enough:
                return epoch
    finally:
        network.eval()
    return schedule.max_epochs


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
