"""Measure what a neural memory forgets: 100 facts, then 1,000 more; recall before and after."""

import argparse
import json
import random
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

from memory.hologram.codebook import Codebook
from memory.hologram.consolidation import ConsolidationFact, ConsolidationManager
from memory.hologram.forgetting import forgetting, recalled
from memory.hologram.neural_memory import NeuralMemoryNetwork
from memory.hologram.rehearsal import Schedule
from memory.records import ProblemRow
from memory.store import Store

PROBLEM = "measure/1"
WORDS, WORDS_A_KEY = 2_000, 30


def main() -> None:
    """Print one JSON document with the figures of each setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=100, help="facts that are to be recalled")
    parser.add_argument("--further", type=int, default=1_000, help="facts learned after them")
    parser.add_argument("--batch", type=int, default=100, help="facts consolidated together")
    parser.add_argument("--dimensions", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    codebook = Codebook(asked.dimensions, asked.seed)
    count = asked.first + asked.further
    kinds = {
        "random keys, a label each": random_facts(codebook, count),
        "keys of shared words, labels shared": word_facts(codebook, count, asked.seed),
    }
    schedules = {
        "replay of all": Schedule(),
        "replay of 100": Schedule(replay=100),
        "no replay": Schedule(replay=0),
    }
    found = []
    for kind, facts in kinds.items():
        for name, schedule in schedules.items():
            figures = measure(codebook, facts, asked.first, asked.batch, schedule)
            found.append({"facts": kind, "schedule": name, **figures})
    print(json.dumps({"settings": vars(asked), "measured": found}, indent=2))


def measure(
    codebook: Codebook,
    facts: list[ConsolidationFact],
    first: int,
    batch: int,
    schedule: Schedule,
) -> dict[str, object]:
    """Learn in a store of its own; then open it anew and see that it recalls the same."""
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "kent.db") as store:
        store.add_problems(
            [ProblemRow(PROBLEM, "measure", "", "f", "train", tests={}, tests_hash="")], "measure"
        )
        began = time.perf_counter()
        manager = _manager(store, codebook, schedule)
        result = forgetting(manager, facts[:first], facts[first:], batch=batch)
        seconds = time.perf_counter() - began
        noisy = recalled(manager, facts, noise=0.2, seed=1)
        again = _manager(store, codebook, schedule)
        same = recalled(again, facts) == recalled(manager, facts) and again.pending == 0
    return {
        **asdict(result),
        "points": round(result.points, 3),
        "recall_with_20_percent_of_bits_turned": sum(noisy) / len(noisy),
        "same_after_reload": same,
        "seconds": round(seconds, 1),
    }


def random_facts(codebook: Codebook, count: int) -> list[ConsolidationFact]:
    """Keys that have nothing in common, each with a label of its own."""
    return [
        ConsolidationFact(
            codebook.vector("fact", str(number)), f"pattern {number}", problem_id=PROBLEM
        )
        for number in range(count)
    ]


def word_facts(codebook: Codebook, count: int, seed: int) -> list[ConsolidationFact]:
    """Keys that are bundles of words drawn by Zipf's law, as issues are; labels likewise."""
    rng = random.Random(seed)
    words = [1 / rank for rank in range(1, WORDS + 1)]
    labels = [1 / rank for rank in range(1, count // 5 + 1)]
    facts = []
    for _ in range(count):
        drawn = rng.choices(range(WORDS), words, k=WORDS_A_KEY)
        key = codebook.weighted("word", {str(word): 1.0 for word in drawn})
        (label,) = rng.choices(range(len(labels)), labels)
        facts.append(ConsolidationFact(key, f"pattern {label}", problem_id=PROBLEM))
    return facts


def _manager(store: Store, codebook: Codebook, schedule: Schedule) -> ConsolidationManager:
    network = NeuralMemoryNetwork(codebook.dimensions)
    return ConsolidationManager(store, network, codebook, schedule=replace(schedule))


if __name__ == "__main__":
    main()
