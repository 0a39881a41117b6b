"""The fractal stage: train programs are repaired for the memory, test programs for the figures."""

from collections.abc import Callable

from trainers.clock import Clock
from trainers.fractal.python.figures import as_json
from trainers.fractal.python.part import run_python
from trainers.fractal.python.partners import Partners
from trainers.generators.base import Generator
from trainers.problem_sets import load_sets
from trainers.stage import StageContext, StageResult
from trainers.stage_generator import open_generator


class FractalStage:
    """Draft, flood, verify, localise, patch; design section 1 has the words.

    Args:
        partners: who proposes learned edits and who chooses.
        open_generator: opens the configured generator.
    """

    name = "fractal"

    def __init__(
        self,
        partners: Partners,
        open_generator: Callable[[StageContext], Generator] = open_generator,
    ) -> None:
        self._partners, self._open_generator = partners, open_generator

    def why_not_due(self, context: StageContext) -> str | None:
        """None: a round always has problems to repair."""
        return None

    def run(self, context: StageContext) -> StageResult:
        """See :class:`trainers.stage.Stage`."""
        clock = Clock()
        sets = load_sets(context, also=())
        python = run_python(context, sets, self._open_generator, self._partners, clock)
        return StageResult({"python": as_json(python), "seconds": clock.seconds})
