"""What is known of a task's wrong stages: the renderer's evidence, and what was tried in vain."""

from collections.abc import Sequence
from math import exp, log

from trainers.fractal.synthetic.localise import PlacedStage, RootEvidence, evidence
from trainers.fractal.synthetic.programs import Stage
from trainers.fractal.synthetic.renderer import Renderer

_REMEMBERED = 4_096  # stages whose evidence is kept
_LEAST = 1e-6

# A stage but for the operand at one place: start, end, the stage, the place.
_Hole = tuple[int, int, tuple[tuple[int, int | None], ...], int]


class Diagnosis:
    """Asks the renderer about each stage once, and remembers chunks that the verifier refused."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._known: dict[PlacedStage, list[RootEvidence]] = {}
        self._refused: dict[_Hole, set[int]] = {}

    def forget(self) -> None:
        """Another task, or the same from the beginning: nothing was tried."""
        self._refused = {}

    def refuse(self, stages: Sequence[PlacedStage]) -> None:
        """The verifier found these stages wrong: in each, no root's operand is the right one."""
        for start, end, stage in stages:
            for place, root in enumerate(stage):
                if root.operand is not None:
                    hole = _hole(start, end, stage, place)
                    self._refused.setdefault(hole, set()).add(root.operand)

    def learn(self, stages: Sequence[PlacedStage]) -> None:
        """Ask the renderer, in one call, about the stages that it was not asked about yet."""
        new = list(dict.fromkeys(stage for stage in stages if stage not in self._known))
        if not new:
            return
        if len(self._known) > _REMEMBERED:
            known = [stage for stage in dict.fromkeys(stages) if stage in self._known]
            self._known = {stage: self._known[stage] for stage in known}
        self._known |= dict(zip(new, evidence(self._renderer, new), strict=True))

    def evidence(self, stage: PlacedStage) -> list[RootEvidence]:
        """What the renderer holds against each root of a stage."""
        self.learn([stage])
        return self._known[stage]

    def hopes(self, stage: PlacedStage) -> list[float]:
        """For each root, the chance that another chunk in its place makes the stage right.

        The renderer's belief that all other chunks are right, less what it expected of operands
        that were refused in the meantime.
        """
        start, end, roots = stage
        found = []
        for place, one in enumerate(self.evidence(stage)):
            refused = self._refused.get(_hole(start, end, roots, place), ())
            left = 1.0 - sum(one.chances[o] for o in refused if o < len(one.chances))
            found.append(exp(one.sound) * max(left, 0.0))
        return found

    def blames(
        self, stage: PlacedStage, gain_weight: float, attention_weight: float
    ) -> list[float]:
        """For each root what speaks against it, with what was refused; only the order counts."""
        return [
            one.blame(gain_weight, attention_weight) + log(max(hope, _LEAST)) - one.sound
            for one, hope in zip(self.evidence(stage), self.hopes(stage), strict=True)
        ]


def _hole(start: int, end: int, stage: Stage, place: int) -> _Hole:
    roots = tuple(
        (int(root.op), None if at == place else root.operand) for at, root in enumerate(stage)
    )
    return start, end, roots, place
