"""Batch: packed grids and the edits that may be made next; what the data half gives the models."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from trainers.ctm.config import CTMConfig
from trainers.errors import ModelError

REPLACE, INSERT_BEFORE, DELETE = range(3)
OPERATIONS = 3


@dataclass(frozen=True)
class Batch:
    """Packed grids. B samples, N cells (padded to the longest), E edits (padded).

    The E edits of a row are those that may be made next, each correct in any order. A program is
    repaired by applying the best one and encoding again, until "no fix" or eight edits.

    Attributes:
        tokens: (B, N) int64, vocabulary ids; 0 is padding.
        row: (B, N) int64, logical row in the grid.
        col: (B, N) int64, column in the row.
        lexeme: (B, N) bool, True at the first piece of a lexeme: where edits may point.
        valid: (B, N) bool.
        edit_cell: (B, E) int64, the cell (a first piece) that the edit names.
        edit_op: (B, E) int64: 0 REPLACE, 1 INSERT_BEFORE, 2 DELETE.
        edit_token: (B, E) int64, vocabulary id of the new whole lexeme, -1 where none (DELETE, or
            only copyable).
        edit_pointer: (B, E, N) bool, cells whose lexeme is the same as the new lexeme (copy); all
            False: none.
        edit_valid: (B, E) bool; a row without any is a clean program: the target is "no fix".
        weight: (B,) float32, of the sample in the loss.
        notice: (B, N) int64, what the parser says of a cell (``data.notices``); 0: it parses.
    """

    tokens: Tensor
    row: Tensor
    col: Tensor
    lexeme: Tensor
    valid: Tensor
    edit_cell: Tensor
    edit_op: Tensor
    edit_token: Tensor
    edit_pointer: Tensor
    edit_valid: Tensor
    weight: Tensor
    notice: Tensor

    @property
    def size(self) -> int:
        """Samples."""
        return self.tokens.shape[0]

    def parts(self, most_cells: int) -> "list[Batch]":
        """Split into batches of at most ``most_cells`` padded cells, and of a sample at least."""
        rows = max(1, most_cells // self.cells)
        pieces = [getattr(self, one.name).split(rows) for one in fields(self)]
        return [Batch(*part) for part in zip(*pieces, strict=True)]

    @property
    def cells(self) -> int:
        """Cells of a sample, padding included."""
        return self.tokens.shape[1]

    @property
    def allowed(self) -> Tensor:
        """(B, N) bool: cells that an edit may name and a copy may read."""
        return self.lexeme & self.valid

    @property
    def has_token(self) -> Tensor:
        """(B, E) bool: edits with a new lexeme that is in the vocabulary or can be copied."""
        known = (self.edit_token >= 0) | self.edit_pointer.any(-1)
        return self.edit_valid & (self.edit_op != DELETE) & known

    def targets(self) -> Tensor:
        """(B, N + 1) bool: correct locations; column N is "no fix"."""
        size, cells = self.tokens.shape
        named = torch.zeros(size, cells + 1, dtype=torch.int64, device=self.tokens.device)
        places = self.edit_cell.clamp(0, cells - 1)
        named.scatter_add_(1, places, self.edit_valid.long())
        named[:, cells] = (~self.edit_valid.any(1)).long()
        return named > 0

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device."""
        return self._each(lambda tensor: tensor.to(device))

    def select(self, rows: Tensor) -> "Batch":
        """Samples ``rows`` (int64), in that order."""
        return self._each(lambda tensor: tensor.index_select(0, rows))

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        return Batch(**{field.name: change(getattr(self, field.name)) for field in fields(self)})


def check_batch(batch: Batch, config: CTMConfig) -> None:
    """Refuse what would train on wrong targets. It reads values: call it on a CPU batch.

    Raises:
        ModelError: for ids, rows or columns out of range, a sample without a lexeme, edits that
            name padding or the middle of a lexeme, and new lexemes that nothing can produce.
    """
    rows = torch.arange(batch.size, device=batch.tokens.device)[:, None]
    cells = batch.edit_cell.clamp(0, batch.cells - 1)
    needs = batch.edit_valid & (batch.edit_op != DELETE)
    problems = {
        f"a token id is outside 0..{config.vocab_size - 1}": _outside(
            batch.tokens, 0, config.vocab_size
        ),
        f"a row is outside 0..{config.grid_height - 1}": _outside(batch.row, 0, config.grid_height),
        f"a column is outside 0..{config.grid_width - 1}": _outside(
            batch.col, 0, config.grid_width
        ),
        "a sample has no lexeme": ~batch.allowed.any(1),
        "an edit's cell is outside the batch": batch.edit_valid & (cells != batch.edit_cell),
        "an edit names a cell that is not the first piece of a lexeme": batch.edit_valid
        & ~batch.allowed[rows, cells],
        "an edit's operation is unknown": batch.edit_valid & _outside(batch.edit_op, 0, OPERATIONS),
        f"an edit's token is not below {config.vocab_size}": batch.edit_valid
        & (batch.edit_token >= config.vocab_size),
        "an edit's new lexeme is neither in the vocabulary nor copyable": needs & ~batch.has_token,
        "an edit would copy from padding": batch.edit_pointer & ~batch.allowed[:, None, :],
    }
    found = [text for text, wrong in problems.items() if bool(wrong.any())]
    if found:
        raise ModelError(f"the batch does not fit the model: {'; '.join(found)}; encode it again")


def _outside(values: Tensor, low: int, end: int) -> Tensor:
    return (values < low) | (values >= end)
