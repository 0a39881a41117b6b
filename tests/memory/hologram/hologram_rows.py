"""Small keys and facts for tests of the neural memory."""

from memory.hologram.codebook import Codebook
from memory.hologram.consolidation import ConsolidationFact, ConsolidationManager
from memory.hologram.neural_memory import NeuralMemoryNetwork

DIMENSIONS = 512
CODEBOOK = Codebook(DIMENSIONS, 3)


def facts(start: int, stop: int, task: str = "t/train") -> list[ConsolidationFact]:
    """Facts with keys that have nothing in common, each with a label of its own."""
    return [
        ConsolidationFact(CODEBOOK.vector("key", str(number)), f"pattern {number}", task_id=task)
        for number in range(start, stop)
    ]


def manager(store, **options) -> ConsolidationManager:
    network = NeuralMemoryNetwork(DIMENSIONS, options.pop("hidden", 64))
    return ConsolidationManager(store, network, CODEBOOK, **options)


def recall_rate(memory: ConsolidationManager, some: list[ConsolidationFact]) -> float:
    right = [memory.recall(fact.key_vector)[0].label == fact.value_label for fact in some]
    return sum(right) / len(right)
