"""The facts nearest to a key: exact search, which unlike a network can be cut off at a date."""

from dataclasses import dataclass

from torch import Tensor

from memory.hologram.fact_memory import FactMemory
from memory.hologram.packed import PackedIndex
from memory.repair_records import FactRow


@dataclass(frozen=True)
class Near:
    """A fact near a key, with their cosine."""

    fact: FactRow
    cosine: float


class FactIndex:
    """The keys of a memory's facts, 1.3 kB each at 10,000 dimensions; read when first asked."""

    def __init__(self, facts: FactMemory) -> None:
        self._facts = facts
        self._index: PackedIndex[int] = PackedIndex(facts.row.dimensions)
        self._last = 0

    def nearest(self, key: Tensor, k: int, *, before: float | None = None) -> list[Near]:
        """The ``k`` facts whose keys are nearest to a key (D,), nearest first.

        ``before``: only those from tasks before this time (Unix seconds) or without a date.
        """
        self._read()
        if before is None:
            found = self._index.search(key, k)
        else:
            found = self._among(set(self._facts.ids(before=before)), key, k)
        facts = {fact.id: fact for fact in self._facts.facts(number for number, _ in found)}
        return [Near(facts[number], cosine) for number, cosine in found]

    def _read(self) -> None:
        """Take in the facts that came since."""
        facts = self._facts.facts(self._facts.ids(after=self._last))
        if facts:
            ids = [fact.id for fact in facts if fact.id is not None]
            self._index.add(self._facts.packed(facts).keys, ids)
            self._last = ids[-1]

    def _among(self, allowed: set[int], key: Tensor, k: int) -> list[tuple[int, float]]:
        """The nearest of these; ever more neighbours are asked for until enough are among them."""
        asked, wanted = 4 * k, min(k, len(allowed))
        while True:
            near = self._index.search(key, asked)
            found = [(number, cosine) for number, cosine in near if number in allowed]
            if len(found) >= wanted:
                return found[:k]
            asked *= 4
