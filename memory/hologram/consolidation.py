"""ConsolidationManager: facts go to the store and the network, and what is old is not forgotten.

Source: the seed's ``ConsolidationManager`` and ``ConsolidationFact`` (code trainer §4.1). There all
facts had the index 0, so that nothing could be recalled; here each label has its own for good.
"""

import re
from collections.abc import Sequence
from copy import copy, deepcopy
from dataclasses import dataclass
from random import Random
from typing import Self

from torch import Tensor

from memory.errors import HologramError, StoreError
from memory.hologram.codebook import Codebook
from memory.hologram.fact_index import FactIndex, Near
from memory.hologram.fact_memory import FactMemory, to_key
from memory.hologram.hypervectors import sign
from memory.hologram.neural_memory import NeuralMemoryNetwork
from memory.hologram.rehearsal import Schedule, learn
from memory.hologram.weights import load_weights, save_weights
from memory.repair_records import FactRow, MemoryRow, MemoryVersion
from memory.store import Store

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True)
class ConsolidationFact:
    """That a key recalls a label; learned from one train task or one train problem.

    ``key_vector`` (D,) is bipolar or weighted; its signs are what is kept. ``value_index`` is given
    by the manager; one that comes with a fact must be that of its label.
    """

    key_vector: Tensor
    value_label: str
    value_index: int | None = None
    task_id: str | None = None
    problem_id: str | None = None


@dataclass(frozen=True)
class Recall:
    """A label that a key recalls, its index, and the network's probability."""

    label: str
    index: int
    probability: float


@dataclass(frozen=True)
class Consolidation:
    """What was learned: facts that are new, facts trained on now, epochs; the version saved, if."""

    new: int
    trained: int
    epochs: int
    version: MemoryVersion | None


class ConsolidationManager:
    """One neural memory: its facts, its network, and how the one gets into the other.

    The network takes the weights of the last version that was saved. Facts that came after it are
    pending and are learned the next time, so that a cut between the two loses nothing; so are all
    facts where the weights are missing, damaged or of another shape.

    Args:
        store: where facts and versions are; None: there are none and none is kept.
        network: takes the weights, and is trained; see ``network`` for the one in use.
        codebook: that the keys are made with.
        memory: its name: lower case letters, digits, ``-`` and ``_``.
        writes: False keeps what is learned in this object only.
        schedule: how it is trained.
        seed: of the training.

    Raises:
        StoreError: the store's memory of that name has keys of other dimensions or another seed.
    """

    def __init__(
        self,
        store: Store | None,
        network: NeuralMemoryNetwork,
        codebook: Codebook,
        memory: str = "patterns",
        *,
        writes: bool = True,
        schedule: Schedule | None = None,
        seed: int = 0,
    ) -> None:
        if not _NAME.fullmatch(memory):
            raise HologramError(f"{memory!r} is no name of a memory: use a-z, 0-9, - and _")
        self.network = network
        self.codebook = codebook
        row = MemoryRow(memory, codebook.dimensions, codebook.seed)
        self._facts = FactMemory(store, row, writes=writes)
        self._schedule = schedule or Schedule()
        self._seed = seed
        self._before: float | None = None
        self._shared = False  # the network is another manager's too
        self._index = FactIndex(self._facts)
        self._last_fact = self._load()
        network.grow(len(self.labels))

    @property
    def memory(self) -> str:
        """The memory's name."""
        return self._facts.row.name

    @property
    def labels(self) -> Sequence[str]:
        """The labels; the place of each is its index."""
        return tuple(self._facts.labels)

    @property
    def pending(self) -> int:
        """How many facts the network was not trained on yet."""
        return len(self._facts.ids(after=self._last_fact))

    def __len__(self) -> int:
        """How many facts there are."""
        return len(self._facts.ids())

    def snapshot(self, *, before: float | None = None) -> Self:
        """A copy that recalls the same and whose learning is kept nowhere.

        ``before``: it gives only facts from tasks before this time (Unix seconds) or without a
        date. What a network has learned cannot be cut off at a date, so that ``recall`` refuses.
        """
        other = copy(self)
        other._before = _earlier(self._before, before)
        other._facts = self._facts.snapshot()
        other._index = FactIndex(other._facts)
        # The weights are copied when one of the two is about to change them.
        self._shared = other._shared = True
        return other

    def consolidate(
        self,
        facts: Sequence[ConsolidationFact],
        *,
        stage_run_id: int | None = None,
        train: bool = True,
    ) -> Consolidation:
        """Keep facts, and train the network on all that are pending, unless ``train`` is False.

        Training costs a second, for one fact as for a dozen: let some come together.

        Raises:
            SplitGuardError: a fact is not of the train split; then none is kept.
            HologramError: a fact's index is not that of its label; then none is kept.
        """
        new = self._facts.add([self._row(fact, stage_run_id) for fact in facts])
        if not train:
            return Consolidation(new, 0, 0, None)
        return self._train(new, stage_run_id)

    def recall(self, key: Tensor, k: int = 1) -> list[Recall]:
        """The ``k`` likeliest labels of a key (D,), bipolar or weighted, by the network.

        Of a weighted key the signs are asked for, since those of facts are what is learned.

        Raises:
            HologramError: this is a snapshot of what was known before a date.
        """
        if self._before is not None:
            raise HologramError(
                "a network cannot recall only what was known before a date: ask for the nearest "
                "facts, or take a snapshot without a date"
            )
        signs = sign(key, seed=self.codebook.seed)
        return [
            Recall(self._facts.labels[index], index, probability)
            for index, probability in self.network.query(signs, k)
        ]

    def nearest(self, key: Tensor, k: int = 1, *, before: float | None = None) -> list[Near]:
        """The ``k`` facts whose keys are nearest to a key (D,), by exact search.

        ``before``: only those from tasks before this time (Unix seconds) or without a date.
        """
        return self._index.nearest(key, k, before=_earlier(self._before, before))

    def _load(self) -> int:
        store = self._facts.store
        if store is None:
            return 0
        try:
            return load_weights(store, self.memory, self.network)
        except StoreError as error:
            if not self._facts.writes:
                raise StoreError(f"{error}; `kent round code` trains the memory anew") from error
            message = f"the memory {self.memory} is trained anew from its facts: {error}"
            store.event("memory.rebuilt", message, level="warning")
            return 0

    def _row(self, fact: ConsolidationFact, stage_run_id: int | None) -> FactRow:
        index = self._facts.index(fact.value_label)
        if fact.value_index is not None and fact.value_index != index:
            raise HologramError(
                f"{fact.value_label!r} has the index {index} in the memory {self.memory!r}, not "
                f"{fact.value_index}; leave the index out"
            )
        return FactRow(
            memory=self.memory,
            label=fact.value_label,
            key=to_key(sign(fact.key_vector, seed=self.codebook.seed)),
            task_id=fact.task_id,
            problem_id=fact.problem_id,
            stage_run_id=stage_run_id,
        )

    def _train(self, new: int, stage_run_id: int | None) -> Consolidation:
        """Learn what is pending, a chunk at a time, and save the weights after each."""
        pending = self._facts.ids(after=self._last_fact)
        if pending and self._shared:
            self.network, self._shared = deepcopy(self.network), False
        self.network.grow(len(self.labels))
        known = self._facts.ids()[: len(self) - len(pending)]
        epochs, version = 0, None
        for start in range(0, len(pending), self._schedule.chunk):
            chunk = pending[start : start + self._schedule.chunk]
            epochs += self._learn(chunk, known)
            known += chunk
            self._last_fact = chunk[-1]
            version = self._save(stage_run_id)
        return Consolidation(new, len(pending), epochs, version)

    def _learn(self, chunk: list[int], known: list[int]) -> int:
        """Train on the facts of these ids among old ones; how many epochs it took."""
        seed = self._seed + len(known)  # other old facts for each chunk
        drawn = Random(seed).sample(known, min(len(known), self._schedule.replay))
        new, old = (self._facts.packed(self._facts.facts(ids)) for ids in (chunk, drawn))
        return learn(self.network, new, old, self._schedule, seed)

    def _save(self, stage_run_id: int | None) -> MemoryVersion | None:
        store = self._facts.store if self._facts.writes else None
        if store is None:
            return None
        last = self._last_fact
        return save_weights(
            store, self.memory, self.network, last_fact=last, stage_run_id=stage_run_id
        )


def _earlier(first: float | None, second: float | None) -> float | None:
    return min((date for date in (first, second) if date is not None), default=None)
