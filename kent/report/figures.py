"""What a stage's key figures, plots and view are; which it has is in :mod:`kent.report.views`."""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["percent", "fraction", "number", "count"]


@dataclass(frozen=True)
class KeyFigure:
    """A figure of a stage.

    ``name`` is the metric's name in the store and in the JSON document; ``heading`` is its two
    short lines at the head of a terminal column; ``better`` is the direction of an improvement.
    """

    name: str
    label: str
    heading: str
    unit: Unit
    better: Literal["up", "down", "none"]
    meaning: str


@dataclass(frozen=True)
class Plot:
    """A plot of one or more figures over the rounds. ``reference`` is a level worth knowing."""

    title: str
    figures: tuple[str, ...]
    reference: float | None = None
    reference_label: str = ""


@dataclass(frozen=True)
class Curve:
    """What learning gave: figures of the same tasks in every round, each beside a cold start's.

    ``pairs``: what was learned, and the same of a solver that learned nothing. ``tasks``: how many
    they are measured on; ``learned_from``: how many were learned from by then.
    """

    title: str
    meaning: str
    pairs: tuple[tuple[KeyFigure, KeyFigure], ...]
    tasks: KeyFigure
    learned_from: KeyFigure

    @property
    def figures(self) -> tuple[KeyFigure, ...]:
        """All of them, each cold one after its partner."""
        return (*(one for pair in self.pairs for one in pair), self.tasks, self.learned_from)


@dataclass(frozen=True)
class StageView:
    """How a stage is shown. The first plot is drawn large; ``plotted`` figures are only there.

    ``headline`` is the name of the figure that stands for the stage.
    """

    title: str
    figures: tuple[KeyFigure, ...]
    plots: tuple[Plot, ...]
    plotted: tuple[KeyFigure, ...] = ()
    headline: str = ""
    curve: Curve | None = None

    @property
    def every(self) -> tuple[KeyFigure, ...]:
        """All figures, wherever they are shown."""
        return (*self.figures, *self.plotted, *(self.curve.figures if self.curve else ()))

    @property
    def key(self) -> tuple[KeyFigure, ...]:
        """The figures that can improve: all but the counts."""
        return tuple(figure for figure in self.figures if figure.unit != "count")
