"""How much of what a neural memory knew it no longer recalls after it has learned more."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from memory.hologram.consolidation import ConsolidationFact, ConsolidationManager
from memory.hologram.intervals import wilson
from memory.hologram.rehearsal import turned
from memory.records import Figure


@dataclass(frozen=True)
class Forgetting:
    """Recall of the first facts before and after further ones, and that of the further ones.

    ``lost``: of the first facts that were recalled before, the share that is not any more.
    """

    before: Figure
    after: Figure
    further: Figure
    lost: Figure

    @property
    def points(self) -> float:
        """Recall before minus after, in percentage points."""
        return 100 * ((self.before.value or 0.0) - (self.after.value or 0.0))


def forgetting(
    manager: ConsolidationManager,
    first: Sequence[ConsolidationFact],
    further: Sequence[ConsolidationFact],
    *,
    batch: int = 100,
    noise: float = 0.0,
    seed: int = 0,
) -> Forgetting:
    """Learn the first facts, then the further ones ``batch`` at a time, and compare the recall.

    Args:
        manager: learns them, and keeps them: take one that is made for the purpose.
        first: what is to be recalled; a fact is recalled when its label comes first.
        further: what is learned after it.
        batch: facts that are consolidated together.
        noise: share of a key's bits that are turned before it is asked for.
        seed: of the noise.
    """
    manager.consolidate(first)
    before = recalled(manager, first, noise=noise, seed=seed)
    for start in range(0, len(further), batch):
        manager.consolidate(further[start : start + batch])
    after = recalled(manager, first, noise=noise, seed=seed)
    lost = sum(was and not now for was, now in zip(before, after, strict=True))
    return Forgetting(
        before=wilson(sum(before), len(before)),
        after=wilson(sum(after), len(after)),
        further=wilson(sum(recalled(manager, further, noise=noise, seed=seed)), len(further)),
        lost=wilson(lost, sum(before)),
    )


def recalled(
    manager: ConsolidationManager,
    facts: Sequence[ConsolidationFact],
    *,
    noise: float = 0.0,
    seed: int = 0,
) -> list[bool]:
    """For each fact whether its key, some bits turned, recalls its label first."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for fact in facts:
        answers = manager.recall(turned(fact.key_vector, noise, generator))
        found.append(bool(answers) and answers[0].label == fact.value_label)
    return found
