"""What a model repairs: source text or a sample's state, as a grid that takes edits.

Vocabulary ids that are not all of a lexeme are never written.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Self

from trainers.ctm.data.edits import Edit, Op
from trainers.ctm.data.grid import CTMGridEncoder, Grid
from trainers.ctm.data.lexemes import END
from trainers.ctm.data.notices import noticed
from trainers.ctm.data.program import Program
from trainers.ctm.data.sample import RepairSample, State
from trainers.ctm.data.tokenizer import CodeTokenizer
from trainers.ctm.grids import Notice


@dataclass(frozen=True)
class Move:
    """An edit that a model proposes, in lexemes: ``token`` or ``source`` (a lexeme to copy)."""

    at: int
    op: Op
    token: int
    source: int
    probability: float


class Editable(Protocol):
    """A program between edits; equal ones are the same program."""

    def grid(self) -> Grid:
        """Its cells; GridError where it does not fit."""

    def notice(self, grid: Grid) -> Notice:
        """What the parser says of its cells."""

    def edited(self, move: Move) -> Self | None:
        """The program after an edit; None where that makes no program."""


@dataclass(frozen=True)
class TextProgram:
    """Source text."""

    program: Program
    encoder: CTMGridEncoder = field(compare=False, repr=False)

    @classmethod
    def of(cls, code: str, encoder: CTMGridEncoder) -> "TextProgram":
        """Read source text, sound or broken."""
        return cls(Program.of(code), encoder)

    def grid(self) -> Grid:
        """See :class:`Editable`."""
        return self.encoder.pack(self.program)

    def notice(self, grid: Grid) -> Notice:
        """See :class:`Editable`."""
        return noticed(grid, self.encoder.tokenizer)

    def edited(self, move: Move) -> "TextProgram | None":
        """See :class:`Editable`."""
        new: str | None = None
        if move.op is not Op.DELETE:
            if move.source >= 0:
                new = self.program.values[move.source]
            else:
                new = self.encoder.tokenizer.lexeme(move.token)
            if new is None or new == END:
                return None
        if move.op is not Op.INSERT_BEFORE and move.at == len(self.program.lexemes) - 1:
            return None
        return replace(self, program=self.program.apply(Edit(move.at, move.op, new)))

    @property
    def text(self) -> str:
        """The source."""
        return self.program.render()


@dataclass(frozen=True)
class SampleProgram:
    """The state of a sample of a data set."""

    state: State
    tokenizer: CodeTokenizer = field(compare=False, repr=False)
    height: int
    width: int

    def grid(self) -> Grid:
        """See :class:`Editable`."""
        return self.state.grid(self.height, self.width)

    def notice(self, grid: Grid) -> Notice:
        """See :class:`Editable`."""
        return noticed(grid, self.tokenizer)

    def edited(self, move: Move) -> "SampleProgram | None":
        """See :class:`Editable`."""
        if move.op is not Op.INSERT_BEFORE and move.at == len(self.state.words) - 1:
            return None
        if move.op is Op.DELETE:
            state = self.state.delete(move.at)
        elif move.source >= 0:
            if move.source == len(self.state.words) - 1:
                return None
            state = self.state.copy(move.at, move.op, move.source)
        else:
            lexeme = self.tokenizer.lexeme(move.token)
            if lexeme is None or lexeme == END:
                return None
            state = self.state.put(move.at, move.op, move.token)
        return replace(self, state=state)


def of_samples(
    samples: Sequence[RepairSample], tokenizer: CodeTokenizer, height: int, width: int
) -> list[SampleProgram]:
    """The broken programs of samples."""
    return [SampleProgram(sample.state(), tokenizer, height, width) for sample in samples]
