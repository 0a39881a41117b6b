"""Repairs programs with a model: predict, apply the best edit, encode again, to "no fix"."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from trainers.ctm.answer import Answer, answers
from trainers.ctm.data.edits import MAX_EDITS
from trainers.ctm.data.grid import Grid, GridError
from trainers.ctm.editable import Editable
from trainers.ctm.grids import Notice, grids_batch, parts
from trainers.ctm.repair_model import Read, RepairModel
from trainers.ctm.repair_path import Repair, RepairPath, parses

TOP_K = 8
BEAM = 4
"""First edits that are followed where no single one makes a broken program parse."""


@dataclass(frozen=True)
class Repairer:
    """A model that is asked for edits.

    ``read`` and ``ticks`` are those of ``RepairModel.predict``; ``threshold`` stops thinking early;
    ``least`` is the share against leaving a program alone (``Repair.share``) below which a repair
    is not carried out; ``bf16`` is of matrix products.

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
        return not repair.moves or (repair.ended == "no fix" and repair.share >= self.least)

    def _repaired(
        self, programs: Sequence[Editable], limit: int, broken: Sequence[bool] | None = None
    ) -> list[Repair]:
        """Repair by the likeliest edit each time.

        Args:
            programs: as they are now.
            limit: edits of one program at most.
            broken: whether each did not parse as it was given; None: they are given now.
        """
        paths = [RepairPath(Repair(program), [program], broken is None) for program in programs]
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
            ended = "parses" if fails and parses(after) else ""
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


def _taken_back(repair: Repair, program: Editable) -> Repair:
    return replace(repair, program=program, moves=[], probability=repair.sound, ended="doubt")
