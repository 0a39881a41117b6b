"""Programs on a grid of logical lines by pieces, kept packed: only the cells that hold something.

A row is an indent, the pieces of its lexemes and an end of line. What is wider than the grid goes
on in the next row behind a continuation mark. A program that does not fit is refused with the
reason and never cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trainers.ctm.data.lexemes import EOL
from trainers.ctm.data.program import Program
from trainers.ctm.data.tokenizer import CONTINUED, SPECIAL, CodeTokenizer
from trainers.errors import CTMDataError

HEIGHT, WIDTH = 64, 48
_EOL = SPECIAL.index(EOL)


class GridError(CTMDataError):
    """A program that does not fit the grid; ``reason`` is one of a few words, for counts."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class Grid:
    """The packed cells of a program: N cells of L lexemes.

    Attributes:
        tokens: (N,) uint16, vocabulary ids.
        row: (N,) uint8.
        col: (N,) uint8.
        lexeme: (N,) int16, which lexeme a cell belongs to; -1 for continuation marks.
    """

    tokens: NDArray[np.uint16]
    row: NDArray[np.uint8]
    col: NDArray[np.uint8]
    lexeme: NDArray[np.int16]

    @cached_property
    def first(self) -> NDArray[np.bool_]:
        """(N,) bool: the first piece of a lexeme, where edits may point."""
        before = np.concatenate(([-1], self.lexeme[:-1]))
        first: NDArray[np.bool_] = (self.lexeme >= 0) & (self.lexeme != before)
        return first

    @cached_property
    def cells(self) -> NDArray[np.int64]:
        """(L,) int64: the cell of each lexeme's first piece."""
        return np.flatnonzero(self.first)

    def dense(self, height: int, width: int) -> NDArray[np.int32]:
        """(height, width) int32: vocabulary ids, 0 where nothing is."""
        grid = np.zeros((height, width), np.int32)
        grid[self.row, self.col] = self.tokens
        return grid


def lay_out(pieces: Sequence[tuple[int, ...]], height: int = HEIGHT, width: int = WIDTH) -> Grid:
    """Put lexemes, each given as its pieces, on the grid.

    Raises:
        GridError: ``rows``: more rows than the grid has; ``wide``: a lexeme wider than it.
    """
    tokens: list[int] = []
    rows: list[int] = []
    cols: list[int] = []
    lexemes: list[int] = []
    row = col = 0
    for number, ids in enumerate(pieces):
        if len(ids) >= width:
            raise GridError("wide", f"a lexeme has {len(ids)} pieces; a row of the grid {width}")
        if col + len(ids) > width:
            row, col = row + 1, 1
            tokens.append(CONTINUED)
            rows.append(row)
            cols.append(0)
            lexemes.append(-1)
        for piece in ids:
            tokens.append(piece)
            rows.append(row)
            cols.append(col)
            lexemes.append(number)
            col += 1
        if ids[0] == _EOL:
            row, col = row + 1, 0
    if row >= height:
        raise GridError("rows", f"the program has {row + 1} rows; the grid {height}")
    return Grid(
        np.array(tokens, np.uint16),
        np.array(rows, np.uint8),
        np.array(cols, np.uint8),
        np.array(lexemes, np.int16),
    )


class CTMGridEncoder:
    """Encodes Python for the CTM with positions in two dimensions."""

    def __init__(self, tokenizer: CodeTokenizer, height: int = HEIGHT, width: int = WIDTH) -> None:
        if not (2 <= height <= 256 and 8 <= width <= 256):
            raise CTMDataError(f"a grid is 2-256 by 8-256 cells, not {height} by {width}")
        self.tokenizer, self.height, self.width = tokenizer, height, width

    def pack(self, program: Program) -> Grid:
        """The packed cells of a program; lexeme numbers are positions in ``program.lexemes``.

        Raises:
            GridError: it does not fit.
        """
        return self.pack_values(program.values)

    def pack_values(self, values: Sequence[str]) -> Grid:
        """The packed cells of lexemes.

        Raises:
            GridError: they do not fit.
        """
        if len(values) <= 1:
            raise GridError("empty", "the program has no statement; give one with code")
        if len(values) > self.height * self.width:
            raise GridError("rows", f"the program has {len(values)} lexemes, more than the cells")
        return lay_out([self.tokenizer.pieces(v) for v in values], self.height, self.width)

    def encode(self, code: str) -> dict[str, NDArray[np.generic]]:
        """The dense view of source text.

        Returns:
            ``input_ids`` (H, W) int32; ``attention_mask`` (H, W) float32, 1 where a cell is valid;
            ``positions`` (H, W, 2) int32, row and column.

        Raises:
            GridError: it does not fit.
        """
        grid = self.pack(Program.of(code)).dense(self.height, self.width)
        positions = np.moveaxis(np.indices(grid.shape, np.int32), 0, -1)
        return {
            "input_ids": grid,
            "attention_mask": (grid != 0).astype(np.float32),
            "positions": positions,
        }

    def spans(self, program: Program, grid: Grid) -> list[tuple[int, int]]:
        """For each cell, where its lexeme is in the source: from, to; (-1, -1) for marks."""
        spans = program.spans()
        return [spans[number] if number >= 0 else (-1, -1) for number in grid.lexeme.tolist()]
