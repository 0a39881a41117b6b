"""Repairs programs with a model: predict, apply the best edit, encode again, to "no fix"."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from trainers.ctm.answer import Answer, answers
from trainers.ctm.data.edits import MAX_EDITS
from trainers.ctm.data.grid import Grid, GridError
from trainers.ctm.editable import Editable, Move
from trainers.ctm.grids import Notice, grids_batch, parts
from trainers.ctm.repair_model import Read, RepairModel

TOP_K = 8
BEAM = 4
"""First edits that are followed where no single one makes a broken program parse."""


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


@dataclass
class _Path:
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
        if mending and _parses(after):
            repair.ended = "parses"
        elif after in self.seen:
            repair.ended = "loop"
        self.seen.append(after)


@dataclass(frozen=True)
class Repairer:
    """A model that is asked for edits.

    ``read`` and ``ticks`` are those of ``RepairModel.predict``; ``threshold`` stops thinking early;
    ``least`` is the probability below which a repair is not carried out; ``bf16`` is of matrix
    products.

    A program that is given and does not parse is not sound: it is always edited; of the likeliest
    edits the first is made after which it parses, if there is one, and then nothing more is. Where
    no single edit ends the complaint, ``BEAM`` first edits are followed, and the likeliest repair
    that parses is taken. A program that parses may not do so between edits of its repair.
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
        repairs = self._repaired(programs, limit)
        hard = [
            number
            for number, one in enumerate(repairs)
            if one.fails and not (one.ended == "parses" and len(one.moves) == 1)
        ]
        followed = self._beam([programs[number] for number in hard], BEAM, limit)
        for number, found in zip(hard, followed, strict=True):
            repairs[number] = _best_that_parses(repairs[number], found)
        return [
            one if one.fails or self._believed(one) else _taken_back(one, program)
            for one, program in zip(repairs, programs, strict=True)
        ]

    def _believed(self, repair: Repair) -> bool:
        """Whether the repair of a program that parses is carried out."""
        return not repair.moves or (repair.ended == "no fix" and repair.probability >= self.least)

    def _repaired(
        self, programs: Sequence[Editable], limit: int, broken: Sequence[bool] | None = None
    ) -> list[Repair]:
        """Repair by the likeliest edit each time.

        Args:
            programs: as they are now.
            limit: edits of one program at most.
            broken: whether each did not parse as it was given; None: they are given now.
        """
        paths = [_Path(Repair(program), [program], broken is None) for program in programs]
        repairs = [path.repair for path in paths]
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
                    repairs[number].fails = bool(notice.any()) if not broken else broken[number]
            for number, found in self._ask(grids, notices):
                complaint = bool(notices[number].any())
                paths[number].advance(found, limit, complaint)
            going = [number for number in grids if not repairs[number].ended]
        return [path.repair if path.repair.fails else path.likeliest() for path in paths]

    def candidates(
        self, program: Editable, count: int = TOP_K, limit: int = MAX_EDITS
    ) -> list[Repair]:
        """Whole programs to run, likeliest first: a beam over the first edit, then the best ones.

        The program as it is stands among them with the probability of "no fix".
        """
        (found,) = self._beam([program], count, limit)
        return found

    def _beam(self, programs: Sequence[Editable], count: int, limit: int) -> list[list[Repair]]:
        """Of each program ``count`` different repairs at most, likeliest first.

        Raises:
            GridError: a program does not fit the grid.
        """
        grids = {number: program.grid() for number, program in enumerate(programs)}
        notices = {number: programs[number].notice(grid) for number, grid in grids.items()}
        begun: list[list[Repair]] = [[] for _ in programs]
        for number, asked in self._ask(grids, notices, top_k=max(count, TOP_K)):
            begun[number] = _begun(programs[number], asked, bool(notices[number].any()))[:count]
        every = [one for each in begun for one in each if not one.ended]
        rests = self._repaired(
            [one.program for one in every], limit - 1, [one.fails for one in every]
        )
        for one, rest in zip(every, rests, strict=True):
            one.program, one.moves, one.ended = rest.program, one.moves + rest.moves, rest.ended
            one.probability *= rest.probability
            one.asked += rest.asked
            one.ticks += rest.ticks
        return [_different(each) for each in begun]

    def _ask(
        self, grids: dict[int, Grid], notices: dict[int, Notice], top_k: int = TOP_K
    ) -> Iterator[tuple[int, Answer]]:
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
            yield from zip(part, answers(found, [grids[number] for number in part]), strict=True)


def _begun(program: Editable, asked: Answer, fails: bool) -> list[Repair]:
    """The program as it is and after each first edit, likeliest first."""
    begun = [Repair(program, probability=asked.no_fix, ended="no fix")]
    for move in asked.moves:
        after = program.edited(move)
        if after is not None and after != program:
            ended = "parses" if fails and _parses(after) else ""
            begun.append(Repair(after, [move], move.probability, ended=ended))
    for one in begun:
        one.certainty, one.located, one.sound = asked.certainty, asked.located, asked.no_fix
        one.fails, one.asked, one.ticks = fails, 1, asked.ticks
    return sorted(begun, key=lambda one: -one.probability)


def _different(repairs: Sequence[Repair]) -> list[Repair]:
    """Likeliest first, of equal programs the likeliest."""
    unique: list[Repair] = []
    for one in sorted(repairs, key=lambda one: -one.probability):
        if all(one.program != other.program for other in unique):
            unique.append(one)
    return unique


def _best_that_parses(first: Repair, found: Sequence[Repair]) -> Repair:
    """The likeliest of some repairs after which the program parses, ``first`` where none does."""
    ends = [one for one in (first, *found) if one.ended == "parses"]
    best = max(ends, key=lambda one: one.probability, default=first)
    every = [first, *found]
    return replace(
        best, asked=sum(one.asked for one in every), ticks=sum(one.ticks for one in every)
    )


def _edited(
    program: Editable, moves: Sequence[Move], mending: bool
) -> tuple[Editable, Move] | None:
    """The program after the likeliest edit that can be made: to mend it, that ends a complaint."""
    made = ((after, move) for move in moves if (after := program.edited(move)) is not None)
    first = next(made, None)
    if first is None or not mending:
        return first
    return next((one for one in (first, *made) if _parses(one[0])), first)


def _parses(program: Editable) -> bool:
    try:
        return not program.notice(program.grid()).any()
    except GridError:
        return False


def _taken_back(repair: Repair, program: Editable) -> Repair:
    return replace(repair, program=program, moves=[], probability=repair.sound, ended="doubt")
