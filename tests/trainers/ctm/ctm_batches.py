"""Batches for the CTM's tests: random ones that are valid, and ones written by hand."""

import torch
from torch import Tensor

from trainers.ctm.batch import DELETE, Batch, check_batch
from trainers.ctm.config import CTMConfig
from trainers.ctm.data.notices import KINDS


def random_batch(
    config: CTMConfig, samples: int = 5, cells: int = 30, edits: int = 2, seed: int = 0
) -> Batch:
    """Samples of different length, some clean, with every operation, known and copied lexemes."""
    draw = torch.Generator().manual_seed(seed)
    length = torch.randint(cells // 2, cells + 1, (samples,), generator=draw)
    length[0] = cells
    at = torch.arange(cells).expand(samples, -1)
    valid = at < length[:, None]
    width = min(config.grid_width, 7)
    tokens = torch.randint(1, config.vocab_size, (samples, cells), generator=draw)
    lexeme = (torch.rand(samples, cells, generator=draw) < 0.7) | (at < edits)
    lexeme &= valid
    cell = torch.stack([torch.multinomial(row.float(), edits, generator=draw) for row in lexeme])
    op = torch.arange(samples * edits).view(samples, edits) % 3
    edit_valid = torch.rand(samples, edits, generator=draw) < 0.8
    edit_valid[0], edit_valid[1] = False, True
    token = torch.randint(1, config.vocab_size, (samples, edits), generator=draw)
    pointer = (torch.rand(samples, edits, cells, generator=draw) < 0.1) & lexeme[:, None]
    only_copied = pointer.any(-1) & (torch.rand(samples, edits, generator=draw) < 0.3)
    batch = Batch(
        tokens=tokens * valid,
        row=at // width * valid,
        col=at % width * valid,
        lexeme=lexeme,
        valid=valid,
        edit_cell=cell,
        edit_op=op,
        edit_token=torch.where((op == DELETE) | only_copied, -1, token),
        edit_pointer=pointer & (op != DELETE)[..., None],
        edit_valid=edit_valid,
        weight=torch.ones(samples),
        notice=torch.randint(KINDS, (samples, cells), generator=draw) * valid,
    )
    check_batch(batch, config)
    return batch


def padded(batch: Batch, cells: int) -> Batch:
    """The same batch with more padding."""

    def longer(tensor: Tensor, dim: int = 1) -> Tensor:
        shape = list(tensor.shape)
        shape[dim] = cells
        return torch.cat([tensor, tensor.new_zeros(shape)], dim)

    return Batch(
        tokens=longer(batch.tokens),
        row=longer(batch.row),
        col=longer(batch.col),
        lexeme=longer(batch.lexeme),
        valid=longer(batch.valid),
        edit_cell=batch.edit_cell,
        edit_op=batch.edit_op,
        edit_token=batch.edit_token,
        edit_pointer=longer(batch.edit_pointer, 2),
        edit_valid=batch.edit_valid,
        weight=batch.weight,
        notice=longer(batch.notice),
    )


def one_row(tokens: list[int], lexeme: list[int], **edit: object) -> Batch:
    """One sample in one row; ``edit``: cell, op, token, pointer (cells), or nothing: clean."""
    count = len(tokens)
    pointer = torch.zeros(1, 1, count, dtype=torch.bool)
    pointer[0, 0, list(edit.get("pointer", ()))] = True  # type: ignore[call-overload]
    return Batch(
        tokens=torch.tensor([tokens]),
        row=torch.zeros(1, count, dtype=torch.int64),
        col=torch.arange(count)[None],
        lexeme=torch.tensor([lexeme], dtype=torch.bool),
        valid=torch.ones(1, count, dtype=torch.bool),
        edit_cell=torch.tensor([[edit.get("cell", 0)]]),
        edit_op=torch.tensor([[edit.get("op", 0)]]),
        edit_token=torch.tensor([[edit.get("token", -1)]]),
        edit_pointer=pointer,
        edit_valid=torch.tensor([["cell" in edit]]),
        weight=torch.ones(1),
        notice=torch.zeros(1, count, dtype=torch.int64),
    )
