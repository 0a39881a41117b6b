"""What a model of the CTM trainer is trained on: a batch of packed grids with the next edits."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Packed grids. B samples, N cells (padded to the longest), E edits (padded)."""

    tokens: Tensor  # (B, N) int64, vocabulary ids; 0 is padding
    row: Tensor  # (B, N) int64, logical row in the grid
    col: Tensor  # (B, N) int64, column in the row
    lexeme: Tensor  # (B, N) bool, True at the first piece of a lexeme: where edits may point
    valid: Tensor  # (B, N) bool
    edit_cell: Tensor  # (B, E) int64, the cell (a first piece) that the edit names
    edit_op: Tensor  # (B, E) int64: 0 REPLACE, 1 INSERT_BEFORE, 2 DELETE
    edit_token: Tensor  # (B, E) int64, vocabulary id of the new whole lexeme, -1 where none
    edit_pointer: Tensor  # (B, E, N) bool, cells whose lexeme is the same as the new lexeme (copy)
    edit_valid: Tensor  # (B, E) bool; a row without any is a clean program: "no fix"
    weight: Tensor  # (B,) float32, of the sample in the loss
