"""What a model answers for one program: the next edits in lexemes, and how sure it is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainers.ctm.data.edits import Op
from trainers.ctm.data.grid import Grid
from trainers.ctm.editable import Move
from trainers.ctm.prediction import EditPrediction


@dataclass(frozen=True)
class Answer:
    """One program's prediction.

    Attributes:
        fix: some place is likelier than "no fix".
        no_fix: probability that nothing is wrong.
        certainty: of the location.
        ticks: that were thought.
        located: (N + 1) probabilities of the cells, the last of "no fix".
        moves: likeliest first.
    """

    fix: bool
    no_fix: float
    certainty: float
    ticks: int
    located: NDArray[np.float32]
    moves: list[Move]


def answers(found: EditPrediction, grids: Sequence[Grid]) -> list[Answer]:
    """Translate the prediction for a batch of ``grids``, padding cut off."""
    columns = [
        column.tolist()
        for column in (
            found.cells,
            found.operations,
            found.tokens,
            found.pointers,
            found.probability.float(),
        )
    ]
    fix, no_fix, certain, ticks = (
        found.fix.tolist(),
        found.no_fix.float().tolist(),
        found.certainty.tolist(),
        found.ticks_used.tolist(),
    )
    located = found.locations.float().cpu().numpy()
    asked = []
    for b, grid in enumerate(grids):
        count = len(grid.tokens)
        moves = [
            Move(
                int(grid.lexeme[cell]),
                Op(op),
                token,
                int(grid.lexeme[pointer]) if pointer >= 0 else -1,
                probability,
            )
            for cell, op, token, pointer, probability in zip(*(c[b] for c in columns), strict=True)
            if cell < count and grid.first[cell]
        ]
        places = np.append(located[b, :count], located[b, -1])
        asked.append(Answer(fix[b], no_fix[b], certain[b], ticks[b], places, moves))
    return asked
