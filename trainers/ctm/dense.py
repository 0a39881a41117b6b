"""dense_logits: edits seen as the specification's [B, H, W, V] grid, for small grids only."""

import torch
from torch import Tensor

from trainers.ctm.batch import REPLACE, Batch
from trainers.ctm.modules.precision import full
from trainers.ctm.repair_model import RepairModel
from trainers.ctm.thoughts import Thoughts
from trainers.errors import ModelError

_LARGEST = 1 << 27  # values: half a gigabyte


@torch.no_grad()
def dense_logits(model: RepairModel, thoughts: Thoughts, batch: Batch, tick: Tensor) -> Tensor:
    """Log-probability of every piece at every cell of the grid, after at most one replacement.

    A cell keeps its piece unless an edit replaces it; where a lexeme of several pieces is copied,
    its first piece counts. Empty cells hold piece 0. Insertions and deletions shift cells and have
    no place in this view.

    Args:
        model: whose thoughts they are.
        thoughts: of the batch.
        batch: its grids.
        tick: (B,) int64, at which to read.

    Returns:
        (B, H, W, V) full precision.

    Raises:
        ModelError: for a grid that would take more than half a gigabyte.
    """
    config, head = model.config, model.head
    shape = (batch.size, config.grid_height, config.grid_width, config.vocab_size)
    values = torch.Size(shape).numel()
    if values > _LARGEST:
        raise ModelError(f"a dense view of {values:,} values is too large; read edits instead")
    now = thoughts.only(tick)
    hidden, operations = head.edit(now.states[0], now.context[0][:, None])
    change = now.locations[0].softmax(-1)[:, :-1] * operations[..., REPLACE].exp()
    kind = torch.full_like(batch.tokens, REPLACE)
    new = head.replacement(hidden[None], kind[None], now.copy_keys, now.allowed)
    words = head.vocabulary(new.query[0].flatten(0, 1), model.grid.embedding).softmax(-1)
    words = words.view(*batch.tokens.shape, -1) * new.generate[0].exp()[..., None]
    copies = (new.copy[..., None] + new.pointer)[0].exp()
    words.scatter_add_(2, batch.tokens[:, None].expand_as(copies), copies)
    words = words * change[..., None]
    words.scatter_add_(2, batch.tokens[..., None], (1 - change)[..., None])
    grid = full(words).new_zeros(shape)
    grid[..., 0] = 1
    samples, at = batch.valid.nonzero(as_tuple=True)
    grid[samples, batch.row[samples, at], batch.col[samples, at]] = words[samples, at]
    return grid.log()
