"""EditPrediction: the likeliest next edits, equal lexemes from vocabulary and copies added up."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainers.ctm.batch import DELETE, INSERT_BEFORE, REPLACE, Batch
from trainers.ctm.lexeme_identity import codes
from trainers.ctm.modules.head import EditHead
from trainers.ctm.thoughts import Thoughts

_LOCATIONS = 4
"""Likeliest cells whose edits compete, at least; where many edits are asked for, half as many."""


@dataclass(frozen=True)
class EditPrediction:
    """The next edit of each of B samples, and K that compete with it.

    The best edit is the first of the K, in falling joint probability of cell, operation and new
    lexeme. A new lexeme is a vocabulary id, or a cell to copy from where it has several pieces.

    Attributes:
        no_fix: (B,) probability that nothing is wrong.
        fix: (B,) bool: some cell is likelier than "no fix".
        cells: (B, K) int64.
        operations: (B, K) int64: REPLACE, INSERT_BEFORE, DELETE.
        tokens: (B, K) int64 vocabulary id of the new lexeme, -1 where none.
        pointers: (B, K) int64 first cell of a lexeme to copy, -1 where none.
        probability: (B, K) joint, of all edits and "no fix" together 1 at most.
        locations: (B, N + 1) probabilities of the cells, then of "no fix".
        certainty: (B,).
        ticks_used: (B,) int64 ticks that were thought, at which the edit was read or after.
        tick: (B,) int64, from 0: where it was read.
    """

    no_fix: Tensor
    fix: Tensor
    cells: Tensor
    operations: Tensor
    tokens: Tensor
    pointers: Tensor
    probability: Tensor
    locations: Tensor
    certainty: Tensor
    ticks_used: Tensor
    tick: Tensor

    @property
    def cell(self) -> Tensor:
        """(B,) of the best edit."""
        return self.cells[:, 0]

    @property
    def operation(self) -> Tensor:
        """(B,) of the best edit."""
        return self.operations[:, 0]

    @property
    def token(self) -> Tensor:
        """(B,) of the best edit, -1 where it deletes or copies."""
        return self.tokens[:, 0]

    @property
    def pointer(self) -> Tensor:
        """(B,) of the best edit, -1 where it deletes or the vocabulary has the lexeme."""
        return self.pointers[:, 0]


def read_edits(
    thoughts: Thoughts,
    batch: Batch,
    head: EditHead,
    embedding: nn.Embedding,
    tick: Tensor,
    top_k: int,
) -> EditPrediction:
    """Read the likeliest edits at ``tick`` (B,) int64 of each sample; the batch's grids only."""
    now = thoughts.only(tick)
    places = now.locations[0].softmax(-1)
    count = min(max(_LOCATIONS, top_k // 2), batch.cells)
    likely, cells = places[:, :-1].topk(count, -1)  # (B, L)
    zero = torch.zeros(1, batch.size, dtype=torch.int64, device=cells.device)
    features = now.cells_at(zero, cells[None])[0]
    hidden, operations = head.edit(features, now.context[0][:, None])
    before = likely[..., None] * operations.exp()  # (B, L, 3)
    kinds = torch.tensor([REPLACE, INSERT_BEFORE], device=cells.device)
    new = _lexemes(now, batch, head, embedding, hidden, kinds)  # (B, L, 2, V + N)
    best, what = new.topk(min(top_k, new.shape[-1]), -1)
    written = (before[..., kinds, None] * best).flatten(1)
    gone = before[..., DELETE]
    every = torch.cat([written, gone], 1)
    probability, order = every.topk(min(top_k, every.shape[1]), -1)
    # Candidates in the order of the concatenation: (cell, operation, lexeme) of each.
    each = best.shape[-1]
    place = torch.cat([_spread(cells, 2 * each), cells], 1)
    kind = torch.cat(
        [_spread(kinds.expand(*cells.shape, 2).flatten(1), each), torch.full_like(cells, DELETE)], 1
    )
    lexeme = torch.cat([what.flatten(1), torch.full_like(cells, -1)], 1).gather(1, order)
    vocabulary = embedding.num_embeddings
    copied = lexeme >= vocabulary
    return EditPrediction(
        no_fix=places[:, -1],
        fix=places.argmax(-1) < batch.cells,
        cells=place.gather(1, order),
        operations=kind.gather(1, order),
        tokens=lexeme.masked_fill(copied, -1),
        pointers=(lexeme - vocabulary).masked_fill(~copied, -1),
        probability=probability,
        locations=places,
        certainty=now.certainty[0],
        ticks_used=thoughts.ticks_used,
        tick=tick,
    )


def _lexemes(
    now: Thoughts,
    batch: Batch,
    head: EditHead,
    embedding: nn.Embedding,
    hidden: Tensor,
    kinds: Tensor,
) -> Tensor:
    """Spread probability over new lexemes: (B, L, kinds, V + N); copies stand at first cells."""
    size, places, width = hidden.shape
    asked = hidden[:, :, None].expand(-1, -1, len(kinds), -1).reshape(1, size, -1, width)
    operation = kinds.repeat(places).expand(1, size, -1)
    new = head.replacement(asked, operation, now.copy_keys, now.allowed)
    vocabulary = head.vocabulary(new.query.flatten(0, 2), embedding).softmax(-1)
    vocabulary = vocabulary.view(size, places * len(kinds), -1) * new.generate[0].exp()[..., None]
    copies = (new.copy[..., None] + new.pointer)[0].exp()
    first, single = equal_lexemes(batch)
    copies = torch.zeros_like(copies).scatter_add_(2, first[:, None].expand_as(copies), copies)
    moved = copies * single[:, None]
    vocabulary.scatter_add_(2, batch.tokens[:, None].expand_as(copies), moved)
    return torch.cat([vocabulary, copies - moved], -1).view(size, places, len(kinds), -1)


def equal_lexemes(batch: Batch) -> tuple[Tensor, Tensor]:
    """Find which lexemes are the same text.

    Returns:
        (B, N) int64: for a lexeme's first piece the first cell of an equal lexeme in the sample,
        for other cells an arbitrary cell; and (B, N) bool: the lexeme is that one piece.
    """
    found, single = codes(batch)
    at = torch.arange(found.shape[1], device=found.device).expand_as(found)
    ordered, order = found.sort(dim=1, stable=True)
    fresh = torch.ones_like(batch.valid)
    fresh[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = order.gather(1, torch.where(fresh, at, 0).cummax(1).values)
    return torch.zeros_like(found).scatter_(1, order, first), single


def _spread(values: Tensor, times: int) -> Tensor:
    """(B, K) to (B, K * times), each value repeated in place."""
    return values.repeat_interleave(times, 1)
