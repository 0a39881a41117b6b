"""The honest benchmark of the fractal coder: the loop beside equal-budget resampling.

It runs as a round of its own whose only stage this is. It practises on nothing and learns nothing.
"""

from collections.abc import Callable

from trainers.clock import Clock
from trainers.errors import BenchmarkError
from trainers.fractal.python.figures import as_json
from trainers.fractal.python.part import run_python
from trainers.fractal.python.partners import Partners
from trainers.fractal.stage import result_of
from trainers.fractal.synthetic.part import measured
from trainers.fractal.synthetic.versions import newest
from trainers.generators.base import Generator
from trainers.problem_sets import load_sets
from trainers.stage import StageContext, StageResult
from trainers.stage_generator import open_generator


class FractalBenchmark:
    """Measures the loop with what was learned so far; see :class:`~trainers.fractal.stage`."""

    name = "fractal_benchmark"

    def __init__(
        self,
        partners: Partners,
        open_generator: Callable[[StageContext], Generator] = open_generator,
    ) -> None:
        self._partners, self._open_generator = partners, open_generator

    def why_not_due(self, context: StageContext) -> str | None:
        """None: it is run when asked for."""
        return None

    def run(self, context: StageContext) -> StageResult:
        """See :class:`trainers.stage.Stage`.

        Raises:
            BenchmarkError: no version was trained yet.
        """
        clock = Clock()
        config = context.settings.fractal.synthetic
        used = newest(context)
        if used is None:
            raise BenchmarkError(
                "there is no fractal model to measure; `kent round fractal` trains one"
            )
        synthetic = measured(context, config, used, clock)
        python = run_python(
            context,
            load_sets(context, also=()),
            self._open_generator,
            self._partners,
            clock,
            practise=False,
        )
        return StageResult(result_of(synthetic, as_json(python), clock))
