"""The fractal stage: train programs are repaired for the memory, test programs for the figures."""

from collections.abc import Callable
from typing import Any

from trainers.clock import Clock
from trainers.fractal.python.figures import as_json
from trainers.fractal.python.part import run_python
from trainers.fractal.python.partners import Partners
from trainers.fractal.synthetic.part import run_synthetic
from trainers.generators.base import Generator
from trainers.problem_sets import load_sets
from trainers.stage import StageContext, StageResult
from trainers.stage_generator import open_generator

Json = dict[str, Any]

PYTHON_KEY = ("pass1", "pass_loop", "resample_equal_budget", "difference")
SYNTHETIC_KEY = ("pass1", "pass_loop", "resample_equal_budget", "localisation_top1")


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
        synthetic = run_synthetic(context, clock)
        sets = load_sets(context, also=())
        python = run_python(context, sets, self._open_generator, self._partners, clock)
        return StageResult(result_of(synthetic, as_json(python), clock))


def result_of(synthetic: Json, python: Json, clock: Clock) -> Json:
    """Both halves, and the key figures by the names under which a report shows them."""
    key = {f"python.{name}": python["figures"][name] for name in PYTHON_KEY}
    key |= {f"synthetic.{name}": synthetic[name] for name in SYNTHETIC_KEY}
    return {
        **key,
        "fractal": synthetic["model"],
        "generator": python["generator"],
        "protocol": python["protocol"],
        "problem_set": python["problem_set"],
        "synthetic": synthetic,
        "python": python,
        "n_problems": python["figures"]["pass_loop"]["n"],
        "seconds": clock.seconds,
    }
