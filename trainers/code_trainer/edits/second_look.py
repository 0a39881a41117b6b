"""A second look at the candidates that come next: what each whole program looks like.

The first order sums what speaks for pattern, place and fillings, so that it needs no program to be
made. Whether the changed program reads like code, and whether a name is left dangling, is known of
whole programs only; so they are put in order anew, within a window that moves over the first order.
"""

import heapq
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from trainers.code_trainer.edits import liveness
from trainers.code_trainer.edits.choice import Features
from trainers.code_trainer.edits.instantiate import Candidate
from trainers.code_trainer.edits.naturalness import Naturalness
from trainers.code_trainer.edits.program import Program
from trainers.code_trainer.edits.splice import NoText
from trainers.errors import CheckpointError

WINDOW = 200
"""Candidates that are looked at before the best of them is given."""

NAMES = (
    "score",
    "surface.gain",
    "surface.new",
    "surface.put",
    "surface.cut",
    "structure.gain",
    "structure.new",
    "structure.put",
    "structure.cut",
    "unread.parameters",
    "unread.variables",
    "unset.names",
)
"""The features that have a weight; ``score`` is that of the first order."""

START: Mapping[str, float] = {
    "score": 0.5,
    "surface.new": 0.5,
    "surface.put": -0.3,
    "structure.new": 0.15,
    "unread.parameters": -3.5,
    "unread.variables": -1.0,
    "unset.names": -3.0,
}
"""Where learning starts: rounded, what 31 broken solutions of MBPP's train split taught."""


@dataclass(frozen=True)
class SecondLook:
    """Orders candidates by what their programs look like.

    ``weights``: of the features, by name, see :data:`NAMES`.
    """

    naturalness: Naturalness
    weights: Mapping[str, float] = field(default_factory=lambda: dict(START))
    window: int = WINDOW

    def features(self, program: Program, made: Candidate) -> Features:
        """Return what a candidate's program looks like beside the one that was changed.

        Raises:
            NoText: it cannot be written.
        """
        return {
            "score": made.score,
            **self.naturalness.change(program.source, made.text),
            **liveness.change(program.tree, made.tree),
        }

    def score(self, features: Features) -> float:
        """Return the sum of weighted features."""
        return sum(weight * features[name] for name, weight in self.weights.items())

    def ordered(self, program: Program, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
        """Give the candidates of a program, the best of each window first.

        One that cannot be written is left out.
        """
        heap: list[tuple[float, int, Candidate]] = []
        number = count()
        for made in candidates:
            try:
                score = self.score(self.features(program, made))
            except NoText:
                continue
            heapq.heappush(heap, (-score, next(number), made))
            if len(heap) >= self.window:
                yield heapq.heappop(heap)[2]
        while heap:
            yield heapq.heappop(heap)[2]

    def save(self, folder: Path) -> None:
        """Write counts and weights into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self.naturalness.save(folder / "words.npz")
        document = {"window": self.window, "weights": dict(self.weights)}
        (folder / "weights.json").write_text(json.dumps(document, indent=1))

    @classmethod
    def load(cls, folder: Path) -> "SecondLook":
        """Read what :meth:`save` wrote.

        Raises:
            CheckpointError: a file is missing or is no such file.
        """
        naturalness = Naturalness.load(folder / "words.npz")
        try:
            document = json.loads((folder / "weights.json").read_text())
            weights = {str(name): float(value) for name, value in document["weights"].items()}
            if unknown := set(weights) - set(NAMES):
                raise ValueError(f"no features of this version: {', '.join(sorted(unknown))}")
            return cls(naturalness, weights, int(document["window"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(
                f"{folder}: no readable second look: {error}; `kent round code` trains anew"
            ) from error
