"""Random vectors by kind and name, made when asked for and kept as bits while there is room."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from memory.errors import HologramError
from memory.hologram.bits import Words, seeded_words, unpack, words
from memory.hologram.hypervectors import DIMENSIONS
from memory.hologram.scoring import cosines

CACHE_MB = 64  # 53,000 names of 10,000 dimensions


class Codebook:
    """A vector for every name of every kind: no list of names is needed, and none is stored.

    Two codebooks of one seed and number of dimensions give the same vectors; all parts of a program
    that compare vectors must use one seed. Threads may share a codebook.
    """

    def __init__(
        self, dimensions: int = DIMENSIONS, seed: int = 0, *, cache_mb: float = CACHE_MB
    ) -> None:
        if dimensions < 1:
            raise HologramError(f"a codebook needs at least one dimension, not {dimensions}")
        self.dimensions = dimensions
        self.seed = seed
        self._capacity = max(1, int(cache_mb * 1e6) // (8 * words(dimensions)))
        self._slots: OrderedDict[tuple[str, str], int] = OrderedDict()  # least recent first
        self._rows: Words = np.empty((0, words(dimensions)), dtype=np.uint64)
        self._lock = threading.Lock()

    def vector(self, kind: str, name: str) -> Tensor:
        """int8 (D,) of -1 and +1."""
        return self.matrix(kind, [name])[0]

    def matrix(self, kind: str, names: Sequence[str]) -> Tensor:
        """int8 (n, D)."""
        return unpack(self.packed(kind, names), self.dimensions)

    def packed(self, kind: str, names: Sequence[str]) -> Words:
        """The same as bits: (n, words)."""
        rows = np.empty((len(names), words(self.dimensions)), dtype=np.uint64)
        with self._lock:
            for start in range(0, len(names), self._capacity):
                part = names[start : start + self._capacity]
                slots = self._cached([(kind, name) for name in part])
                rows[start : start + len(part)] = self._rows[slots]
        return rows

    def weighted(self, kind: str, weights: Mapping[str, float]) -> Tensor:
        """float32 (D,): the sum of the names' vectors times their weights; zeros for no names."""
        by_name = torch.tensor([*weights.values()], dtype=torch.float32)
        return by_name @ self.matrix(kind, [*weights]).float()

    def cleanup(
        self, vector: Tensor, kind: str, names: Sequence[str], k: int = 1
    ) -> list[tuple[str, float]]:
        """The k names nearest to (D,) with their cosines, best first.

        Raises:
            HologramError: no names, or a vector of other dimensions.
        """
        if not names:
            raise HologramError(f"no names of kind {kind!r} to choose among: give at least one")
        found = cosines(self.packed(kind, names), vector[None], self.dimensions)[0]
        order = torch.sort(found, descending=True, stable=True)
        nearest = zip(order.indices[:k].tolist(), order.values[:k].tolist(), strict=True)
        return [(names[place], cosine) for place, cosine in nearest]

    def _cached(self, keys: Sequence[tuple[str, str]]) -> list[int]:
        """Slots of at most as many keys as there is room for; what is missing is made."""
        missing = []
        for key in dict.fromkeys(keys):
            if key in self._slots:
                self._slots.move_to_end(key)
            else:
                missing.append(key)
        places = [self._free_slot(key) for key in missing]
        made = b"".join(
            seeded_words(f"{len(kind)}:{kind}:{name}", self.seed, self.dimensions)
            for kind, name in missing
        )
        self._rows[places] = np.frombuffer(made, np.uint64).reshape(
            len(missing), words(self.dimensions)
        )
        return [self._slots[key] for key in keys]

    def _free_slot(self, key: tuple[str, str]) -> int:
        """A place of its own for this key, if need be that of the one not used for longest."""
        if len(self._slots) < self._capacity:
            slot = len(self._slots)
        else:
            _, slot = self._slots.popitem(last=False)
        self._slots[key] = slot
        if slot >= len(self._rows):
            size = min(self._capacity, max(1024, 2 * len(self._rows)))
            grown = np.zeros((size, self._rows.shape[1]), dtype=np.uint64)
            grown[: len(self._rows)] = self._rows
            self._rows = grown
        return slot
