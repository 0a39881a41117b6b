"""How a run is trained and when it ends: stages, batches, rates, budgets."""

from dataclasses import dataclass

from trainers.ctm.curriculum import CurriculumStage
from trainers.ctm.optimiser import learning_rate


@dataclass(frozen=True)
class Recipe:
    """How a run is trained, whatever it is trained on.

    ``extra_every``: each so-manieth step takes its batches from the extra samples, if there are
    any. ``lowest``: the rate at a stage's end as a share of its peak. ``most_cells``: computed at
    once; a batch of more is computed in parts whose gradients are summed, so that a batch of long
    programs needs no more memory than others. ``average``: decay of an exponential average of the
    weights; 0: none is kept. ``one_cosine``: the rate rises once and falls over all stages of the
    first pass, instead of in each.
    """

    stages: tuple[CurriculumStage, ...]
    batch_size: int = 64
    accumulate: int = 1
    most_cells: int = 65_536
    weight_decay: float = 0.01
    lowest: float = 0.05
    extra_every: int = 20
    save_every_s: float = 30.0
    bf16: bool = False
    average: float = 0.0
    one_cosine: bool = False

    @property
    def samples_per_step(self) -> int:
        """Of a full step."""
        return self.batch_size * self.accumulate

    def rate(self, stage: int, step: int, passes: int) -> float:
        """The learning rate of a step of a stage (both from 0), ``passes`` gone through before."""
        steps = [one.steps(self.samples_per_step) for one in self.stages]
        peak, count = self.stages[stage].lr, steps[stage]
        if self.one_cosine and not passes:
            step, count = step + sum(steps[:stage]), sum(steps)
        return learning_rate(step, count, peak, peak * self.lowest)


@dataclass(frozen=True)
class Budget:
    """When a round's training ends: the first that is reached; None: no limit."""

    seconds: float | None = None
    samples: int | None = None
    steps: int | None = None

    def spent(self, seconds: float, samples: int, steps: int) -> bool:
        """Whether any of the limits is reached."""
        limits = ((self.seconds, seconds), (self.samples, samples), (self.steps, steps))
        return any(limit is not None and used >= limit for limit, used in limits)
