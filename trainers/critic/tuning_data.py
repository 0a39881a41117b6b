"""What fine-tuning learns from: problems with their programs, and the draw of a step."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from trainers.config import LoraConfig
from trainers.critic.tuning_loss import LossWeights
from trainers.generators.base import Message


@dataclass(frozen=True)
class TuneProblem:
    """A problem's distinct programs with 1.0 (passed) or 0.0 and a weight above 0 for each."""

    problem_id: str
    prompt: Sequence[Message]
    codes: list[str]
    passed: list[float]
    weights: list[float]

    def __post_init__(self) -> None:
        if not len(self.codes) == len(self.passed) == len(self.weights):
            raise ValueError(f"{self.problem_id}: codes, passed and weights differ in length")
        if not all(weight > 0 for weight in self.weights):
            raise ValueError(f"{self.problem_id}: every program's weight must be above 0")

    @property
    def has_both(self) -> bool:
        """True when one program passed and one did not."""
        return 0 < sum(self.passed) < len(self.passed)


def usable(
    data: Sequence[TuneProblem], config: LoraConfig, weights: LossWeights, seed: int
) -> list[TuneProblem]:
    """The problems to learn from, at most ``max_problems``, those with both outcomes first."""
    found = [one for one in data if one.has_both or (one.codes and not weights.ranks_only)]
    if not config.max_problems:
        return found
    random.Random(f"{seed}/problems").shuffle(found)
    return sorted(found, key=lambda one: not one.has_both)[: config.max_problems]


def balanced(passed: Sequence[float], count: int, chance: random.Random) -> list[int]:
    """Draw at most ``count`` programs, half of them passing where there are enough; sorted."""
    won = [i for i, outcome in enumerate(passed) if outcome > 0.5]
    lost = [i for i, outcome in enumerate(passed) if outcome <= 0.5]
    losing = min(len(lost), max(count // 2, count - len(won)))
    winning = min(len(won), count - losing)
    return sorted(chance.sample(won, winning) + chance.sample(lost, losing))
