"""One program's repair on its way: the next edit, the ways to end, and the likeliest of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from trainers.ctm.answer import Answer
from trainers.ctm.data.grid import GridError
from trainers.ctm.editable import Editable, Move


@dataclass
class Repair:
    """What became of one program.

    Attributes:
        program: the last state.
        moves: the edits that were made, in order.
        probability: that the model gave to all of them and to the stop, multiplied.
        certainty: of the location, the least of all steps.
        located: (N + 1) probabilities of the cells at the first step, the last of "no fix".
        ended: ``no fix``, ``parses`` (the parser's complaint is gone), ``edits`` (eight were made),
            ``stuck`` (no edit could be applied), ``loop`` (a state came again), ``grid`` (it does
            not fit) or ``doubt`` (what was found was too unlikely, or broke a program that had
            parsed, and is taken back).
        sound: that the program needs no edit, at the first step.
        fails: whether the program does not parse as it was given.
        asked: how often the model was asked for an edit.
        ticks: that it thought in all.
    """

    program: Editable
    moves: list[Move] = field(default_factory=list)
    probability: float = 1.0
    certainty: float = 1.0
    located: NDArray[np.float32] | None = None
    ended: str = ""
    sound: float = 1.0
    fails: bool = False
    asked: int = 0
    ticks: int = 0

    @property
    def share(self) -> float:
        """How likely the repair is against leaving the program alone, 0 to 1."""
        return self.probability / max(self.probability + self.sound, 1e-12)


@dataclass
class RepairPath:
    """A repair on its way.

    Attributes:
        repair: so far.
        seen: the programs between its edits.
        given: its first program is the one that was given.
        stops: the repair as it would be had it ended at each program that parses.
    """

    repair: Repair
    seen: list[Editable]
    given: bool
    stops: list[Repair] = field(default_factory=list)

    def advance(self, found: Answer, limit: int, complaint: bool) -> None:
        """Make the next edit, or end; ``complaint``: the program does not parse."""
        repair = self.repair
        mending = repair.fails and complaint
        repair.certainty = min(repair.certainty, found.certainty)
        repair.asked += 1
        repair.ticks += found.ticks
        if repair.located is None:
            repair.located = found.located
            repair.sound = found.no_fix
        if not complaint:
            self._may_stop(found.no_fix)
        after = _edited(repair.program, found.moves, mending)
        if not found.fix and not (complaint and after):
            repair.probability *= found.no_fix
            repair.ended = "no fix"
        elif len(repair.moves) == limit:
            repair.ended = "edits"
        elif after is None:
            repair.ended = "stuck"
        else:
            self._edit(*after, mending)

    def likeliest(self) -> Repair:
        """The likeliest of the ways to end where the program parses; else what it has come to.

        A program that was wrong once is easily thought to be wrong again: edits of which the model
        is less sure than of the program before them are not made.
        """
        edited = [one for one in self.stops if one.moves or not self.given]
        best = max(edited, key=lambda one: one.probability, default=self.repair)
        whole = self.repair
        return replace(best, certainty=whole.certainty, asked=whole.asked, ticks=whole.ticks)

    def _may_stop(self, no_fix: float) -> None:
        chance = self.repair.probability * no_fix
        end = replace(self.repair, moves=[*self.repair.moves], probability=chance, ended="no fix")
        self.stops.append(end)

    def _edit(self, after: Editable, move: Move, mending: bool) -> None:
        repair = self.repair
        repair.program = after
        repair.moves.append(move)
        repair.probability *= move.probability
        if mending and parses(after):
            repair.ended = "parses"
        elif after in self.seen:
            repair.ended = "loop"
        self.seen.append(after)


def _edited(
    program: Editable, moves: Sequence[Move], mending: bool
) -> tuple[Editable, Move] | None:
    """The program after the likeliest edit that can be made: to mend it, that ends a complaint."""
    made = ((after, move) for move in moves if (after := program.edited(move)) is not None)
    first = next(made, None)
    if first is None or not mending:
        return first
    return next((one for one in (first, *made) if parses(one[0])), first)


def parses(program: Editable) -> bool:
    """Whether a program fits the grid and the parser has no complaint."""
    try:
        return not program.notice(program.grid()).any()
    except GridError:
        return False
