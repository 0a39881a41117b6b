"""HologramContainer: one codebook, and all parts of the memory on it; snapshots for honest tests.

Source: the seed's ``HologramContainer`` ("shared infrastructure"; code trainer §4.1). There encoder
and container each had a codebook of their own; here all parts have the container's.
"""

from memory.hologram.circuits import CircuitObserver
from memory.hologram.codebook import Codebook
from memory.hologram.consolidation import ConsolidationManager
from memory.hologram.constraints import ConstraintAccumulator
from memory.hologram.hypervectors import DIMENSIONS
from memory.hologram.neural_memory import HIDDEN, NeuralMemoryNetwork
from memory.hologram.rehearsal import Schedule
from memory.hologram.resonant_generator import ResonantGenerator
from memory.hologram.resonator import TransformationResonator
from memory.hologram.self_improvement import SelfImprovementManager
from memory.store import Store


class HologramContainer:
    """The memory: what it knows is read from the store, what it learns is kept there at once.

    Args:
        store: where all of it is; None: it knows nothing, and what it learns is kept nowhere.
        dimensions: of the hypervectors.
        seed: of the codebook, of the networks' first weights and of their training.
        writes: False reads the store and keeps what is learned in this object only.
    """

    def __init__(
        self,
        store: Store | None = None,
        dimensions: int = DIMENSIONS,
        seed: int = 0,
        *,
        writes: bool = True,
    ) -> None:
        self.store = store
        self.seed = seed
        self.codebook = Codebook(dimensions, seed)
        self.resonator = TransformationResonator(self.codebook)
        self.generator = ResonantGenerator(self.codebook)
        self._take(
            SelfImprovementManager(store, writes=writes),
            ConstraintAccumulator(store, writes=writes),
        )
        self._writes = writes
        self._memories: dict[str, ConsolidationManager] = {}
        self._origin: HologramContainer | None = None
        self._before: float | None = None

    @property
    def observer(self) -> CircuitObserver:
        """The circuit observer, the same that the constraints tell of each attempt."""
        return self.improvement.observer

    def create_neural_memory(
        self, name: str = "patterns", *, hidden: int = HIDDEN, schedule: Schedule | None = None
    ) -> ConsolidationManager:
        """The memory of this name, with what it knows; the same object each time.

        Args:
            name: lower case letters, digits, ``-`` and ``_``.
            hidden: width of its network; another one than before trains it anew from its facts.
            schedule: how it is trained.

        Raises:
            StoreError: the store's memory of that name has keys of other dimensions or another
                seed.
        """
        if name not in self._memories:
            if self._origin is not None:
                origin = self._origin.create_neural_memory(name, hidden=hidden, schedule=schedule)
                memory = origin.snapshot(before=self._before)
            else:
                memory = ConsolidationManager(
                    self.store,
                    NeuralMemoryNetwork(self.codebook.dimensions, hidden, seed=self.seed),
                    self.codebook,
                    name,
                    writes=self._writes,
                    schedule=schedule,
                    seed=self.seed,
                )
            self._memories[name] = memory
        return self._memories[name]

    def snapshot(self, *, before: float | None = None) -> "HologramContainer":
        """A memory that knows the same and forgets all it learns: it is written nowhere.

        What one test task teaches its snapshot reaches neither this memory nor another snapshot.

        Args:
            before: only what is known from tasks before this time (Unix seconds) or without a date.
                A network cannot be cut off at a date: its ``recall`` then refuses, ``nearest`` does
                not.
        """
        other = object.__new__(HologramContainer)
        other.store, other.seed, other._writes = self.store, self.seed, False
        other.codebook, other.resonator = self.codebook, self.resonator
        other.generator = self.generator
        other._memories, other._origin, other._before = {}, self, before
        if before is None:
            improvement = self.improvement.snapshot()
            other._take(improvement, self.constraints.snapshot(improvement.observer))
        else:
            other._take(
                SelfImprovementManager(self.store, before=before, writes=False),
                ConstraintAccumulator(self.store, before=before, writes=False),
            )
        return other

    def _take(
        self, improvement: SelfImprovementManager, constraints: ConstraintAccumulator
    ) -> None:
        self.improvement, self.constraints = improvement, constraints
        constraints.set_circuit_observer(improvement.observer)
