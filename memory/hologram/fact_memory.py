"""The facts of one neural memory: those in the store, and those that one object keeps to itself."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from memory.hologram.packed import pack
from memory.hologram.rehearsal import Facts
from memory.repair_records import FactRow, MemoryRow
from memory.store import Store

_SCRATCH = 1 << 40  # ids of facts that are in no store come after all others


class FactMemory:
    """Facts by id, labels by index.

    Args:
        store: where they are; None: there are none and none is kept.
        row: name, dimensions and seed of the memory.
        writes: False keeps what is added in this object only, and does not see what others add.

    Raises:
        StoreError: the store's memory of that name has keys of another size or seed.
    """

    def __init__(self, store: Store | None, row: MemoryRow, *, writes: bool = True) -> None:
        there = store is not None and store.open_memory(row, create=writes)
        self.row = row
        self.store = store if there else None
        self.writes = writes and there
        self.labels: list[str] = []
        self._index: dict[str, int] = {}
        self._scratch: dict[tuple[bytes, str], FactRow] = {}
        if self.store is not None:
            self._know(self.store.labels(row.name))
        self._last_stored = _SCRATCH
        self._last_stored = self._newest()

    def index(self, label: str) -> int | None:
        """The index of a label; None where it has none yet."""
        return self._index.get(label)

    def add(self, rows: Sequence[FactRow]) -> int:
        """Add facts; a key with the same label is there once.

        Returns:
            How many were new.

        Raises:
            SplitGuardError: one is not of the train split; then none is added.
        """
        if self.writes and self.store is not None:
            new = self.store.add_facts(rows)
            self._know(self.store.labels(self.row.name)[len(self.labels) :])
            return new
        before = len(self._scratch)
        self._know(dict.fromkeys(row.label for row in rows if row.label not in self._index))
        for row in rows:
            number = _SCRATCH + len(self._scratch)
            known = replace(row, value_index=self._index[row.label], id=number)
            self._scratch.setdefault((row.key, row.label), known)
        return len(self._scratch) - before

    def ids(self, *, after: int = 0, before: float | None = None) -> list[int]:
        """The ids above ``after``, oldest first; ``before`` (Unix seconds) as in the store.

        What was added to this object only has no date and is always among them.
        """
        scratch = [row.id for row in self._scratch.values() if row.id is not None]
        return [number for number in (*self._stored_ids(before), *scratch) if number > after]

    def facts(self, ids: Iterable[int]) -> list[FactRow]:
        """The facts of these ids, oldest first."""
        wanted = set(ids)
        stored = [number for number in wanted if number < _SCRATCH]
        found = self.store.facts(self.row.name, ids=stored) if self.store and stored else []
        return found + [row for row in self._scratch.values() if row.id in wanted]

    def packed(self, facts: Sequence[FactRow]) -> Facts:
        """Their keys as bits, and their label indexes."""
        width = -(-self.row.dimensions // 64)
        words = np.frombuffer(b"".join(fact.key for fact in facts), dtype="<u8")
        indexes = np.array([fact.value_index for fact in facts], dtype=np.int64)
        return Facts(words.reshape(len(facts), width).astype(np.uint64), indexes)

    def snapshot(self) -> "FactMemory":
        """A copy that has the same facts and whose additions are kept nowhere."""
        other = FactMemory(None, self.row, writes=False)
        other.store = self.store
        other._know(self.labels)
        other._scratch = dict(self._scratch)
        other._last_stored = self._newest()
        return other

    def _newest(self) -> int:
        return max(self._stored_ids(), default=0)

    def _stored_ids(self, before: float | None = None) -> list[int]:
        if self.store is None:
            return []
        ids = self.store.fact_ids(self.row.name, before=before)
        # Where nothing is written the memory is that of one moment, whatever others add.
        return ids if self.writes else [number for number in ids if number <= self._last_stored]

    def _know(self, labels: Iterable[str]) -> None:
        for label in labels:
            self._index[label] = len(self.labels)
            self.labels.append(label)


def to_key(vector: Tensor) -> bytes:
    """A bipolar vector, int8 (D,), as the bits of a fact's key."""
    return pack(vector).astype("<u8").tobytes()
