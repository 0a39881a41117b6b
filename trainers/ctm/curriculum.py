"""The curriculum's four stages, as the specification gives them and scaled down for a CPU.

Sources: the specification's "Curriculum Learning"; the CPU's targets from KENT's research notes on
it (section 8), its ticks as measured in docs/ctm.md. Every stage rehearses 15 % of earlier classes.
"""

from typing import Literal

from pydantic import Field

from trainers.ctm.data.reader import CLEAN, REHEARSAL, StageFilter
from trainers.ctm.data.taxonomy import BugClass, expand
from trainers.section import Section

BugTypes = Literal["syntax", "simple_logic", "all_logic", "security", "lint", "other", "all"]
Scale = Literal["gpu", "cpu"]


class CurriculumStage(Section):
    """One stage: ticks, samples an epoch, which bugs, and when it is passed."""

    iterations: int = Field(ge=1, description="ticks of the CTM")
    samples: int = Field(ge=1, description="of an epoch")
    difficulty: tuple[float, float] = Field((0.0, 1.0), description="from and to, both included")
    bug_types: tuple[BugTypes, ...] = Field(min_length=1)
    epochs: int = Field(ge=1)
    lr: float = Field(gt=0, le=1, description="at its peak")
    target: float = Field(1.0, gt=0, le=1, description="share of bugs repaired that ends it early")
    longest: int | None = Field(None, ge=1, description="cells of a program at most")
    rehearsal: float = Field(REHEARSAL, ge=0, lt=0.5, description="of earlier stages' classes")

    @property
    def classes(self) -> tuple[BugClass, ...]:
        """The classes that ``bug_types`` mean."""
        return expand(self.bug_types)

    def steps(self, samples_per_step: int) -> int:
        """How many steps the stage has."""
        return max(1, -(-self.samples * self.epochs // samples_per_step))


_FIRST: dict[str, object] = {"difficulty": (0.0, 0.3), "bug_types": ("syntax",)}
_SECOND: dict[str, object] = {"difficulty": (0.0, 0.5), "bug_types": ("syntax", "simple_logic")}
_THIRD: dict[str, object] = {"difficulty": (0.0, 0.7), "bug_types": ("all_logic",)}
_LAST: dict[str, object] = {"difficulty": (0.0, 1.0), "bug_types": ("all",)}

CPU_RATE = 2.5e-3
"""At its peak; it rises once and falls over all four stages (``Recipe.one_cosine``)."""

_NUMBERS: dict[str, tuple[tuple[int, int, int, float, float, int | None], ...]] = {
    # iterations, samples, epochs, lr, target, longest
    "gpu": (
        (16, 200_000, 2, 3e-4, 0.93, None),
        (32, 300_000, 2, 2e-4, 0.84, None),
        (48, 500_000, 2, 1e-4, 0.65, None),
        (64, 1_000_000, 3, 5e-5, 1.0, None),
    ),
    # The whole took 71 minutes of one core; a slower machine takes more. The rates are those of
    # small models; the specification's are for 15 M weights. A tenth of the programs have more than
    # 420 cells, and half of attention's cost: long ones come last, the longest are only measured.
    "cpu": (
        (2, 60_000, 1, CPU_RATE, 0.90, 256),
        (3, 90_000, 1, CPU_RATE, 0.75, 256),
        (4, 150_000, 1, CPU_RATE, 0.60, 256),
        (4, 225_000, 1, CPU_RATE, 1.0, 512),
    ),
}


def curriculum(scale: Scale, share: float = 1.0) -> tuple[CurriculumStage, ...]:
    """The four stages for a kind of machine; ``share`` of the samples."""
    rows = zip(_NUMBERS[scale], (_FIRST, _SECOND, _THIRD, _LAST), strict=True)
    return tuple(
        CurriculumStage.model_validate(
            {
                "iterations": iterations,
                "samples": max(1, round(samples * share)),
                "epochs": epochs,
                "lr": lr,
                "target": target,
                "longest": longest,
                **what,
            }
        )
        for (iterations, samples, epochs, lr, target, longest), what in rows
    )


def stage_filter(stages: tuple[CurriculumStage, ...], number: int) -> StageFilter:
    """What stage ``number`` (from 0) is trained on, with what it rehearses."""
    stage = stages[number]
    earlier: dict[BugClass, None] = {}
    for before in stages[:number]:
        earlier.update(dict.fromkeys(before.classes))
    return StageFilter(
        stage.classes, stage.difficulty, tuple(earlier), stage.rehearsal, CLEAN, stage.longest
    )
