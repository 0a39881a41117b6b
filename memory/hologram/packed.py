"""An index of packed bipolar vectors, searched exactly by cosine.

One query is compared by XOR and popcount (1,256 bytes read a vector); many at once, or queries with
weights, by blocks of matrix products, which is faster from eight queries on.
"""

import json
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from memory.errors import HologramError
from memory.hologram.bits import Words, pack, unpack, words
from memory.hologram.hypervectors import DIMENSIONS
from memory.hologram.scoring import cosines

__all__ = ["PackedIndex", "Words", "pack", "unpack", "words"]

Id = TypeVar("Id", str, int)

_MAGIC = b"kent-hologram-index-1\n"


class PackedIndex(Generic[Id]):
    """Vectors by id, one bit a dimension. An id that is added again has its vector replaced."""

    def __init__(self, dimensions: int = DIMENSIONS) -> None:
        self.dimensions = dimensions
        self._rows: Words = np.empty((0, words(dimensions)), dtype=np.uint64)
        self._ids: list[Id] = []
        self._places: dict[Id, int] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, id: object) -> bool:
        return id in self._places

    def add(self, rows: Words | Tensor, ids: Sequence[Id]) -> None:
        """Packed (n, words), or bipolar int8 (n, D).

        Raises:
            HologramError: the numbers of rows and ids, or of dimensions, differ.
        """
        packed = rows if isinstance(rows, np.ndarray) else pack(rows)
        if packed.shape != (len(ids), words(self.dimensions)):
            raise HologramError(
                f"{len(ids)} ids of {self.dimensions} dimensions need rows of shape "
                f"{(len(ids), words(self.dimensions))}, not {packed.shape}"
            )
        for id in ids:
            if self._places.setdefault(id, len(self._ids)) == len(self._ids):
                self._ids.append(id)
        self._reserve(len(self._ids))
        self._rows[[self._places[id] for id in ids]] = packed

    def search(self, query: Words | Tensor, k: int = 1) -> list[tuple[Id, float]]:
        """The k nearest ids with their cosines, best first; equals in the order of adding.

        query: packed (words,), or (D,) of any numbers: weights are not lost.
        """
        return self.search_many(query[None], k)[0]

    def search_many(self, queries: Words | Tensor, k: int = 1) -> list[list[tuple[Id, float]]]:
        """search() for each of packed (q, words) or (q, D)."""
        if k < 1:
            raise HologramError(f"ask for at least one neighbour, not {k}")
        if not self._ids:
            return [[] for _ in queries]
        found = cosines(self._rows[: len(self._ids)], queries, self.dimensions)
        return [self._best(row, k) for row in found.numpy()]

    def to_bytes(self) -> bytes:
        """The whole index: a line of JSON, then the words; from_bytes() reads it anywhere."""
        header = json.dumps({"dimensions": self.dimensions, "ids": self._ids})
        rows = self._rows[: len(self._ids)]
        return _MAGIC + header.encode() + b"\n" + rows.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "PackedIndex[Any]":
        """Read what to_bytes() wrote.

        Raises:
            HologramError: it is something else, or cut short.
        """
        header, _, body = data.removeprefix(_MAGIC).partition(b"\n")
        try:
            if not data.startswith(_MAGIC):
                raise ValueError("it does not begin as one")
            told = json.loads(header)
            index: PackedIndex[Any] = cls(int(told["dimensions"]))
            rows = np.frombuffer(body, dtype=np.uint64)
            index.add(rows.reshape(len(told["ids"]), words(index.dimensions)), told["ids"])
        except (ValueError, KeyError, TypeError) as error:
            raise HologramError(f"not a packed index ({error}): build it again") from error
        return index

    def _best(self, row: NDArray[np.float32], k: int) -> list[tuple[Id, float]]:
        near = np.arange(len(row))
        if k < len(row):
            near = np.flatnonzero(row >= np.partition(row, len(row) - k)[len(row) - k])
        order = near[np.argsort(-row[near], kind="stable")][:k]
        return [(self._ids[place], float(row[place])) for place in order.tolist()]

    def _reserve(self, count: int) -> None:
        if count > len(self._rows):
            grown = np.zeros((max(count, 2 * len(self._rows)), self._rows.shape[1]), np.uint64)
            grown[: len(self._rows)] = self._rows
            self._rows = grown
