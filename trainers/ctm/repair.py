"""Repairs programs with a model: predict, apply the best edit, encode again, to "no fix"."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from trainers.ctm.data.edits import MAX_EDITS, Op
from trainers.ctm.data.grid import Grid, GridError
from trainers.ctm.editable import Editable, Move
from trainers.ctm.grids import Notice, grids_batch, parts
from trainers.ctm.prediction import EditPrediction
from trainers.ctm.repair_model import Read, RepairModel

TOP_K = 8


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
            not fit) or ``doubt`` (what was found was too unlikely, and is taken back).
        sound: that the program needs no edit, at the first step.
        fails: whether the program does not parse, at the first step.
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


@dataclass(frozen=True)
class Repairer:
    """A model that is asked for edits.

    ``read`` and ``ticks`` are those of ``RepairModel.predict``; ``threshold`` stops thinking early;
    ``least`` is the probability below which a repair is not carried out; ``bf16`` is of matrix
    products.

    A program that does not parse is not sound: it is always edited; of the likeliest edits the
    first is made after which it parses, if there is one, and then nothing more is.
    """

    model: RepairModel
    batch_size: int = 64
    read: Read = "certain"
    ticks: int | None = None
    threshold: float | None = None
    least: float = 0.0
    device: str = "cpu"
    bf16: bool = False

    def repair(self, programs: Sequence[Editable], limit: int = MAX_EDITS) -> list[Repair]:
        """Repair programs, many at a time; what is too unlikely is left as it was.

        Args:
            programs: sound or broken; they are not changed.
            limit: edits of one program at most.
        """
        return [
            one
            if not one.moves or one.fails or one.probability >= self.least
            else _taken_back(one, program)
            for one, program in zip(self._repaired(programs, limit), programs, strict=True)
        ]

    def _repaired(self, programs: Sequence[Editable], limit: int) -> list[Repair]:
        repairs = [Repair(program) for program in programs]
        seen: list[list[Editable]] = [[program] for program in programs]
        going = list(range(len(repairs)))
        while going:
            grids: dict[int, Grid] = {}
            for number in going:
                try:
                    grids[number] = repairs[number].program.grid()
                except GridError:
                    repairs[number].ended = "grid"
            notices = {
                number: repairs[number].program.notice(grid) for number, grid in grids.items()
            }
            for number, notice in notices.items():
                if not repairs[number].asked:
                    repairs[number].fails = bool(notice.any())
            for number, found in self._ask(grids, notices):
                fails = bool(notices[number].any())
                self._advance(repairs[number], seen[number], found, limit, fails)
            going = [number for number in grids if not repairs[number].ended]
        return repairs

    def candidates(
        self, program: Editable, count: int = TOP_K, limit: int = MAX_EDITS
    ) -> list[Repair]:
        """Whole programs to run, likeliest first: a beam over the first edit, then the best ones.

        The program as it is stands among them with the probability of "no fix".
        """
        grid = program.grid()
        (_, asked), *_ = self._ask({0: grid}, {0: program.notice(grid)}, top_k=max(count, TOP_K))
        first = [
            Repair(
                program,
                [],
                asked.no_fix,
                asked.certainty,
                asked.located,
                "no fix",
                ticks=asked.ticks,
            )
        ]
        for move in asked.moves:
            after = program.edited(move)
            if after is not None and after != program:
                first.append(Repair(after, [move], move.probability, asked.certainty))
        kept = sorted(first, key=lambda one: -one.probability)[:count]
        open_ends = [one for one in kept if not one.ended]
        for one, rest in zip(
            open_ends, self._repaired([one.program for one in open_ends], limit - 1), strict=True
        ):
            one.program, one.moves = rest.program, one.moves + rest.moves
            one.probability *= rest.probability
            one.asked, one.ticks = 1 + rest.asked, asked.ticks + rest.ticks
            one.ended = rest.ended
        unique: list[Repair] = []
        for one in sorted(kept, key=lambda one: -one.probability):
            if all(one.program != other.program for other in unique):
                unique.append(one)
        return unique

    def _advance(
        self, repair: Repair, seen: list[Editable], found: "_Asked", limit: int, fails: bool
    ) -> None:
        repair.certainty = min(repair.certainty, found.certainty)
        repair.asked += 1
        repair.ticks += found.ticks
        if repair.located is None:
            repair.located = found.located
            repair.sound = found.no_fix
        after = _edited(repair.program, found.moves, fails)
        if not found.fix and not (fails and after):
            repair.probability *= found.no_fix
            repair.ended = "no fix"
        elif len(repair.moves) == limit:
            repair.ended = "edits"
        elif after is None:
            repair.ended = "stuck"
        else:
            repair.program, move = after
            repair.moves.append(move)
            repair.probability *= move.probability
            if fails and _parses(repair.program):
                repair.ended = "parses"
            elif repair.program in seen:
                repair.ended = "loop"
            seen.append(repair.program)

    def _ask(
        self, grids: dict[int, Grid], notices: dict[int, Notice], top_k: int = TOP_K
    ) -> Iterator[tuple[int, "_Asked"]]:
        """Predictions for grids, those of like size together."""
        numbers = sorted(grids, key=lambda number: len(grids[number].tokens))
        self.model.eval()
        for part in parts(numbers, grids, self.batch_size):
            batch = grids_batch(
                [grids[number] for number in part], [notices[number] for number in part]
            ).to(self.device)
            kind = torch.device(self.device).type
            with torch.autocast(kind, torch.bfloat16, enabled=self.bf16):
                found = self.model.predict(
                    batch, read=self.read, ticks=self.ticks, threshold=self.threshold, top_k=top_k
                )
            yield from zip(part, _asked(found, [grids[number] for number in part]), strict=True)


def _edited(program: Editable, moves: Sequence[Move], fails: bool) -> tuple[Editable, Move] | None:
    """The program after the likeliest edit that can be made: after a complaint, that ends it."""
    made = ((after, move) for move in moves if (after := program.edited(move)) is not None)
    first = next(made, None)
    if first is None or not fails:
        return first
    return next((one for one in (first, *made) if _parses(one[0])), first)


def _parses(program: Editable) -> bool:
    try:
        return not program.notice(program.grid()).any()
    except GridError:
        return False


def _taken_back(repair: Repair, program: Editable) -> Repair:
    return replace(repair, program=program, moves=[], probability=repair.sound, ended="doubt")


@dataclass(frozen=True)
class _Asked:
    """One program's prediction, in lexemes."""

    fix: bool
    no_fix: float
    certainty: float
    ticks: int
    located: NDArray[np.float32]
    moves: list[Move]


def _asked(found: EditPrediction, grids: Sequence[Grid]) -> list[_Asked]:
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
        asked.append(_Asked(fix[b], no_fix[b], certain[b], ticks[b], places, moves))
    return asked
