"""Samples to a batch: padded cells, and the edits that may be made next.

For a sample of several edits some are made beforehand, drawn by ``rng``, so that the states between
the first edit and the last are trained too.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from trainers.ctm.batch import Batch
from trainers.ctm.data import edits as scripts
from trainers.ctm.data.edits import Edit
from trainers.ctm.data.grid import HEIGHT, WIDTH, Grid, GridError
from trainers.ctm.data.notices import noticed
from trainers.ctm.data.sample import RepairSample, State
from trainers.ctm.data.tokenizer import CodeTokenizer

PARTIAL = 0.5
"""Of the samples with several edits, the share that has some of them made beforehand."""


def collate(
    samples: Sequence[RepairSample],
    rng: np.random.Generator | None = None,
    *,
    weights: Sequence[float] | None = None,
    height: int = HEIGHT,
    width: int = WIDTH,
    partial: float = PARTIAL,
    tokenizer: CodeTokenizer | None = None,
) -> Batch:
    """Make a batch of B samples.

    Args:
        samples: at least one.
        rng: draws states in between; None: every sample is as it is.
        weights: of the samples in the loss; 1 each if None.
        height: of the grid on which states in between are laid out.
        width: of that grid.
        partial: how often a sample of several edits has some made beforehand.
        tokenizer: of the samples; None: the models are told that everything parses.
    """
    items = [_item(sample, rng, height, width, partial) for sample in samples]
    size, cells = len(items), max(len(grid.tokens) for grid, _, _ in items)
    most = max(1, *(len(made) for _, _, made in items))
    tokens, row, col, notice = (np.zeros((size, cells), np.int64) for _ in range(4))
    lexeme, valid = np.zeros((size, cells), bool), np.zeros((size, cells), bool)
    edit = np.zeros((3, size, most), np.int64)
    edit[2] = -1
    pointer = np.zeros((size, most, cells), bool)
    given = np.zeros((size, most), bool)
    for b, (grid, words, todo) in enumerate(items):
        n = len(grid.tokens)
        tokens[b, :n], row[b, :n], col[b, :n] = grid.tokens, grid.row, grid.col
        lexeme[b, :n], valid[b, :n] = grid.first, True
        if tokenizer is not None:
            notice[b, :n] = noticed(grid, tokenizer)
        for e, (what, token) in enumerate(todo):
            given[b, e] = True
            edit[:, b, e] = grid.cells[what.at], int(what.op), token
            if what.new is not None:
                pointer[b, e, grid.cells[words == what.new]] = True
    return Batch(
        tokens=torch.from_numpy(tokens),
        row=torch.from_numpy(row),
        col=torch.from_numpy(col),
        lexeme=torch.from_numpy(lexeme),
        valid=torch.from_numpy(valid),
        edit_cell=torch.from_numpy(edit[0]),
        edit_op=torch.from_numpy(edit[1]),
        edit_token=torch.from_numpy(edit[2]),
        edit_pointer=torch.from_numpy(pointer),
        edit_valid=torch.from_numpy(given),
        weight=torch.tensor(weights or [1.0] * size, dtype=torch.float32),
        notice=torch.from_numpy(notice),
    )


_Item = tuple[Grid, NDArray[np.int16], list[tuple[Edit[int], int]]]


def _item(
    sample: RepairSample,
    rng: np.random.Generator | None,
    height: int,
    width: int,
    partial: float,
) -> _Item:
    """The cells, the words and the next edits, each with its vocabulary id, of a sample's state."""
    edits, tokens = sample.edits, sample.edit_token.tolist()
    if rng is not None and len(edits) > 1 and rng.random() < partial:
        state, left, ids = _between(sample, rng)
        try:
            grid = state.grid(height, width)
        except GridError:  # a line that is half inserted may need a row too many
            pass
        else:
            free = scripts.next_edits(left)
            return grid, np.array(state.words, np.int16), [(left[i], ids[i]) for i in free]
    free = scripts.next_edits(edits)
    return sample.grid, sample.words, [(edits[i], tokens[i]) for i in free]


def _between(
    sample: RepairSample, rng: np.random.Generator
) -> tuple[State, list[Edit[int]], list[int]]:
    """A state after some of the edits, with the edits that are left and their vocabulary ids."""
    state, left, ids = sample.state(), sample.edits, sample.edit_token.tolist()
    for _ in range(int(rng.integers(1, len(left)))):
        free = scripts.next_edits(left)
        made = free[int(rng.integers(len(free)))]
        state = state.apply(left[made])
        left, ids = scripts.remaining(left, made), [*ids[:made], *ids[made + 1 :]]
    return state, left, ids
