"""How each stage is shown: its figures by their names in the store, and its plots."""

from collections.abc import Mapping

from kent.report.figures import KeyFigure, Plot, StageView
from kent.report.views.code import CODE
from kent.report.views.critic import CRITIC
from kent.report.views.ctm import CTM
from kent.report.views.fractal import FRACTAL


def _benchmark(title: str, view: StageView) -> StageView:
    """A round of its own that measures what a stage does, and trains nothing."""
    return StageView(title, view.figures, (), headline=view.headline)


# In the order of a round, the benchmarks last.
STAGES: Mapping[str, StageView] = {
    "critic": CRITIC,
    "fractal": FRACTAL,
    "code": CODE,
    "ctm": CTM,
    "CriticBenchmark": _benchmark("Benchmark of the critic", CRITIC),
    "CodeBenchmark": _benchmark("Benchmark of the code trainer", CODE),
    "fractal_benchmark": _benchmark("Benchmark of the fractal coder", FRACTAL),
}


def view_of(stage: str, names: tuple[str, ...] = ()) -> StageView:
    """How ``stage`` is shown; one without a view of its own shows its metrics as they are named."""
    if stage in STAGES:
        return STAGES[stage]
    figures = tuple(
        KeyFigure(name, name, name.replace("_", "\n", 1), "fraction", "none", "") for name in names
    )
    return StageView(stage, figures, tuple(Plot(name, (name,)) for name in names))
