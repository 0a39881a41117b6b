"""Batches of grids to predict from: programs of like size together, their edits unknown."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from trainers.ctm.batch import Batch
from trainers.ctm.data.grid import Grid

Notice = NDArray[np.uint8]
_MOST_CELLS = 8192  # padded, of a batch: attention over many long programs is slow


def parts(numbers: list[int], grids: dict[int, Grid], most: int) -> Iterator[list[int]]:
    """Batches of programs in rising size: at most so many, and at most ``_MOST_CELLS`` together."""
    part: list[int] = []
    for number in numbers:
        cells = len(grids[number].tokens) * (len(part) + 1)
        if part and (len(part) == most or cells > _MOST_CELLS):
            yield part
            part = []
        part.append(number)
    if part:
        yield part


def grids_batch(grids: Sequence[Grid], notices: Sequence[Notice]) -> Batch:
    """A batch to predict from: no edits are known. ``notices``: see ``data.notices``."""
    size, cells = len(grids), max(len(grid.tokens) for grid in grids)
    tokens, row, col, notice = (np.zeros((size, cells), np.int64) for _ in range(4))
    lexeme, valid = np.zeros((size, cells), bool), np.zeros((size, cells), bool)
    for b, (grid, told) in enumerate(zip(grids, notices, strict=True)):
        n = len(grid.tokens)
        notice[b, :n] = told
        tokens[b, :n], row[b, :n], col[b, :n] = grid.tokens, grid.row, grid.col
        lexeme[b, :n], valid[b, :n] = grid.first, True
    none = torch.zeros(size, 1, dtype=torch.int64)
    return Batch(
        tokens=torch.from_numpy(tokens),
        row=torch.from_numpy(row),
        col=torch.from_numpy(col),
        lexeme=torch.from_numpy(lexeme),
        valid=torch.from_numpy(valid),
        edit_cell=none,
        edit_op=none,
        edit_token=none - 1,
        edit_pointer=torch.zeros(size, 1, cells, dtype=torch.bool),
        edit_valid=none > 0,
        weight=torch.ones(size),
        notice=torch.from_numpy(notice),
    )
