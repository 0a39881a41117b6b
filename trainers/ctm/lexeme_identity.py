"""Which lexemes of a sample are the same text: codes, uses before and after, and their number.

Variable misuse and its like are told by where else a name stands; models that are given such links
need far fewer samples to see them (Hellendoorn et al., ICLR 2020; Allamanis et al., ICLR 2018).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainers.ctm.batch import Batch

_HASH_BASE = 1_000_003
USES = 8
"""Numbers of ``Uses.count``: 0 at other cells, then 1, 2, 3, 4 or more uses, and the first of so
many (2, 3, 4 or more)."""
LINKS = 6
"""Links of a cell; see ``links``."""


def codes(batch: Batch) -> tuple[Tensor, Tensor]:
    """Number the lexemes of a batch by their text.

    Returns:
        (B, N) int64: equal at first pieces of equal lexemes of a sample, negative and unique at
        other cells; and (B, N) bool: the lexeme is that one piece.
    """
    size, cells = batch.tokens.shape
    at = torch.arange(cells, device=batch.tokens.device).expand(size, -1)
    begins = batch.allowed | ~batch.valid
    begins[:, :1] = True
    start = torch.where(begins, at, 0).cummax(1).values
    depth = at - start
    # A polynomial hash over the pieces; int64 wraps around, which is as good as a modulus here.
    powers = torch.full_like(at[0], _HASH_BASE)
    powers[0] = 1
    parts = batch.tokens * powers.cumprod(0)[depth] * batch.valid
    hashed = torch.zeros_like(at).scatter_add_(1, start, parts)
    length = torch.zeros_like(at).scatter_add_(1, start, batch.valid.long())
    found = torch.where(batch.allowed, hashed & (2**62 - 1), -1 - at)
    return found, batch.allowed & (length == 1)


@dataclass(frozen=True)
class Uses:
    """Where else a lexeme stands. B samples of N cells; N stands for "nowhere".

    Attributes:
        before: (B, N) int64, the last equal lexeme before.
        after: (B, N) int64, the next one.
        count: (B, N) int64 below ``USES``.
    """

    before: Tensor
    after: Tensor
    count: Tensor


def uses(batch: Batch) -> Uses:
    """Find the equal lexemes of every first piece; other cells have none."""
    found, _ = codes(batch)
    cells = found.shape[1]
    ordered, order = found.sort(dim=1, stable=True)
    same = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    none = torch.full_like(found, cells)
    before = none.scatter(1, order[:, 1:], torch.where(same, order[:, :-1], cells))
    after = none.scatter(1, order[:, :-1], torch.where(same, order[:, 1:], cells))
    # Position in the run of equal codes, and the run's length.
    at = torch.arange(cells, device=found.device).expand_as(found)
    fresh = torch.ones_like(batch.valid)
    fresh[:, 1:] = ~same
    start = torch.where(fresh, at, 0).cummax(1).values
    length = torch.zeros_like(found).scatter_add_(1, start, torch.ones_like(found))
    number = length.gather(1, start).clamp(max=4)
    code = torch.where((at == start) & (number > 1), number + 3, number)
    count = torch.zeros_like(found).scatter(1, order, code)
    return Uses(before, after, count * batch.allowed)


def links(batch: Batch, found: Uses) -> Tensor:
    """Six cells that a first piece is linked to, in flattened (B * N) indices, B * N for none.

    In order: the same lexeme's use before; what followed when the lexeme to the left was last
    used; what preceded when the lexeme to the right was last used; and these three looking
    forward, reversed, so that each link stands opposite to its inverse.

    Returns:
        (B * N, 6) int64.
    """
    size, cells = batch.tokens.shape
    at = torch.arange(cells, device=batch.tokens.device).expand(size, -1)
    left = torch.where(batch.allowed, at, -1).cummax(1).values
    left = torch.cat([left.new_full((size, 1), -1), left[:, :-1]], 1)
    left = torch.where(left < 0, cells, left)
    right = torch.where(batch.allowed, at, cells).flip(1).cummin(1).values.flip(1)
    right = torch.cat([right[:, 1:], right.new_full((size, 1), cells)], 1)
    end = at.new_full((size, 1), cells)
    left, right, before, after = (
        torch.cat([one, end], 1) for one in (left, right, found.before, found.after)
    )
    back, ahead = before[:, :-1], after[:, :-1]
    columns = [
        back,
        right.gather(1, before.gather(1, left))[:, :-1],
        left.gather(1, before.gather(1, right))[:, :-1],
        left.gather(1, after.gather(1, right))[:, :-1],
        right.gather(1, after.gather(1, left))[:, :-1],
        ahead,
    ]
    joined = torch.stack(columns, -1)
    joined = torch.where(batch.allowed[..., None], joined, cells)
    sample = torch.arange(size, device=at.device)[:, None, None] * cells
    return torch.where(joined < cells, joined + sample, size * cells).flatten(0, 1)
