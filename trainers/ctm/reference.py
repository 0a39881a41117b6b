"""The same models written as the papers' code writes them: slow, plain, the tests' oracle.

``ReferenceCTM`` takes a fast model's weights. Each tick projects keys and values anew, lays
attention and state side by side, runs neuron models by einsum over weights stored (M, H, D),
shifts the trace by copying, and evaluates the whole head, vocabulary included, into ``[..., T]``
slices. Tests hold the fast model to its values and gradients; ``scripts/bench_ctm.py`` times both.
"""

from copy import deepcopy
from dataclasses import dataclass
from math import sqrt
from typing import cast

import torch
from torch import Tensor, nn

from trainers.ctm.batch import DELETE, Batch
from trainers.ctm.losses import location_losses
from trainers.ctm.model import ContinuousThoughtMachine
from trainers.ctm.modules.attention import HIDDEN
from trainers.ctm.modules.backbone import LocalConvolution
from trainers.ctm.modules.precision import full
from trainers.ctm.modules.synapse import Block
from trainers.ctm.modules.synchronization import Pairs
from trainers.ctm.thoughts import certainty


@dataclass(frozen=True)
class ReferenceThoughts:
    """Everything at every tick.

    Attributes:
        locations: (B, N + 1, T) logits.
        certainty: (B, T).
        location_loss: (T, B) nats.
        edit_loss: (T, B): operation and token losses, averaged over edits.
        synchronisation: (B, pairs, T) of the output.
    """

    locations: Tensor
    certainty: Tensor
    location_loss: Tensor
    edit_loss: Tensor
    synchronisation: Tensor


class ReferenceCTM(nn.Module):
    """A textbook CTM over given features, with a copy of a fast model's weights."""

    def __init__(self, fast: ContinuousThoughtMachine) -> None:
        super().__init__()
        self.config = fast.config
        self.head, self.core = deepcopy(fast.head), deepcopy(fast.core)
        self.embedding = deepcopy(fast.grid.embedding)
        neurons = self.core.neurons
        self.first = nn.Parameter(neurons.first.detach().permute(1, 2, 0).contiguous())
        del neurons.first
        if neurons.deep:
            self.second = nn.Parameter(neurons.second.detach().permute(1, 2, 0).contiguous())
            del neurons.second

    def forward(self, features: Tensor, batch: Batch) -> ReferenceThoughts:
        """Think about (B, N, D) features and score the batch's targets at every tick."""
        size, cells = batch.tokens.shape
        edits, ticks = batch.edit_cell.shape[1], self.config.iterations
        places = features.new_empty(size, cells + 1, ticks)
        words = features.new_empty(size, edits, self.config.vocab_size, ticks)
        copies = features.new_empty(size, edits, 2, ticks)
        operations = features.new_empty(size, edits, 3, ticks)
        syncs = features.new_empty(size, len(self.core.sync.out.decay), ticks)
        state = self.core.start_state.expand(size, -1)
        trace = self.core.start_trace.expand(size, -1, -1)
        out = _products(self.core.sync.out, state)
        out_count = torch.ones_like(out)
        action: Tensor | None = None
        action_count = torch.ones(())
        seen = self.head.norm(features)
        keys = self.head.copy_keys(seen)
        for tick in range(ticks):
            action, action_count, sync = _updated(
                self.core.sync.action, state, action, action_count
            )
            query = self.core.attention.query(sync)
            if self.core.workspace is not None and tick % self.config.workspace_every == 0:
                features = self._rewritten(features, query, batch.valid)
                seen = self.head.norm(features)
            attended = self._attended(query, features, batch.valid)
            pre = self._synapse(torch.cat([attended, state], -1))
            trace = torch.cat([trace[:, :, 1:], pre.unsqueeze(-1)], -1)
            state = self._neurons(trace)
            out, out_count, sync = _updated(self.core.sync.out, state, out, out_count)
            syncs[..., tick] = sync
            context = self.head.context(sync)
            places[..., tick] = self._locations(seen, context, batch.allowed)
            hidden, operation = self._edits(seen, context, batch)
            operations[..., tick] = operation
            words[..., tick], copies[..., tick] = self._lexemes(hidden, keys, batch)
        sure = torch.stack([certainty(places[..., t], batch.allowed) for t in range(ticks)], -1)
        found = location_losses(places.permute(2, 0, 1), batch.targets())
        edit = _edit_loss(operations, words, copies, batch)
        return ReferenceThoughts(places, sure, found, edit, syncs)

    def _attended(self, query: Tensor, features: Tensor, valid: Tensor) -> Tensor:
        attention = self.core.attention
        cells = attention.norm(attention.cells(features))
        projected = attention.keys_values(cells)
        size, count, _ = cells.shape
        heads = attention.heads
        key, value = (
            part.view(size, count, heads, -1).transpose(1, 2) for part in projected.chunk(2, -1)
        )
        asked = query.view(size, heads, 1, -1)
        scores = asked @ key.transpose(2, 3) / sqrt(asked.shape[-1])
        weights = scores.masked_fill(~valid[:, None, None], HIDDEN).softmax(-1)
        read: Tensor = attention.out((weights.to(value.dtype) @ value).flatten(1))
        return read

    def _synapse(self, combined: Tensor) -> Tensor:
        unet = self.core.synapse
        mapped = unet.first(combined)
        if not len(unet.down):
            gated: Tensor = unet.norm(nn.functional.glu(mapped, -1))
            return gated
        down = [nn.functional.silu(unet.norm(mapped))]
        for block in cast("list[Block]", list(unet.down)):
            down.append(nn.functional.silu(block.norm(block.linear(down[-1]))))
        up = down[-1]
        for i in range(len(unet.up) - 1, -1, -1):
            block = cast(Block, unet.up[i])
            up = unet.skip[i](nn.functional.silu(block.norm(block.linear(up))) + down[i])
        return up

    def _neurons(self, trace: Tensor) -> Tensor:
        """(B, D, M) to (B, D)."""
        models = self.core.neurons
        values = torch.einsum("bdm,mhd->bdh", trace, self.first)
        values = (values + models.first_bias.squeeze(1)) / models.first_scale
        values = nn.functional.glu(values, -1)
        if models.deep:
            values = torch.einsum("bdm,mhd->bdh", values, self.second)
            values = (values + models.second_bias.squeeze(1)) / models.second_scale
            values = nn.functional.glu(values, -1)
        return values.squeeze(-1)

    def _rewritten(self, features: Tensor, query: Tensor, valid: Tensor) -> Tensor:
        space = self.core.workspace
        assert space is not None
        shown = valid[..., None]
        normed = space.norm(features) * shown
        edge = torch.zeros_like(normed[:, :1])
        near = torch.cat(
            [
                torch.cat([edge, normed[:, :-1]], 1),
                normed,
                torch.cat([normed[:, 1:], edge], 1),
            ],
            -1,
        )
        # The fast form maps a cell to three parts; side by side these are one wide map.
        mixed = nn.functional.linear(near, torch.cat(space.mix.weight.chunk(3, 0), 1))
        gamma, beta = space.bias(query)[:, None].chunk(2, -1)
        changed = space.out(nn.functional.gelu(mixed * (1 + gamma) + beta))
        rewritten: Tensor = features + changed * shown
        return rewritten

    def _locations(self, seen: Tensor, context: Tensor, allowed: Tensor) -> Tensor:
        head = self.head
        size = sqrt(seen.shape[-1])
        scores = torch.einsum("bnd,bd->bn", seen, context) / size
        scores = scores + head.static(seen).squeeze(-1) / size
        scores = scores.masked_fill(~allowed, HIDDEN)
        return torch.cat([scores, head.no_fix(context)], -1)

    def _edits(self, seen: Tensor, context: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        at = batch.edit_cell[..., None].expand(-1, -1, seen.shape[-1])
        hidden = nn.functional.gelu(self.head.cell(seen.gather(1, at)) + context[:, None])
        return hidden, self.head.operation(hidden)

    def _lexemes(self, hidden: Tensor, keys: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B, E, V) vocabulary logits, and (B, E, 2): gate logit, log-probability of a copy."""
        head = self.head
        hidden = hidden + head.operation_as_input(batch.edit_op)
        query = head.query(hidden)
        words = nn.functional.linear(query, self.embedding.weight, head.token_bias)
        scores = query @ keys.transpose(1, 2) / sqrt(query.shape[-1])
        pointer = full(scores).masked_fill(~batch.allowed[:, None], HIDDEN).log_softmax(-1)
        copied = pointer.masked_fill(~batch.edit_pointer, HIDDEN).logsumexp(-1)
        return words, torch.stack([full(head.gate(hidden)).squeeze(-1), copied], -1)


def _updated(
    pairs: Pairs, state: Tensor, summed: Tensor | None, count: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of the recursion: new accumulators and the synchronisation."""
    products = _products(pairs, state)
    if summed is None:
        summed, count = products, torch.ones_like(products)
    else:
        rate = torch.exp(-pairs.decay.clamp(0, 15))
        summed, count = summed * rate + products, count * rate + 1
    return summed, count, summed / count.sqrt()


def _products(pairs: Pairs, state: Tensor) -> Tensor:
    wide = full(state)
    return wide[:, pairs.left] * wide[:, pairs.right]


def _edit_loss(operations: Tensor, words: Tensor, copies: Tensor, batch: Batch) -> Tensor:
    """(T, B) mean losses of operation and token over a sample's edits."""
    ticks = words.shape[-1]
    entropy = nn.functional.cross_entropy

    def each(logits: Tensor, target: Tensor) -> Tensor:
        flat = target.flatten()[:, None].expand(-1, ticks)
        return entropy(full(logits).flatten(0, 1), flat, reduction="none").view(
            *target.shape, ticks
        )

    operation = each(operations, batch.edit_op) * batch.edit_valid[..., None]
    operation = operation.sum(1) / batch.edit_valid.sum(1).clamp(min=1)[:, None]
    known = (batch.edit_token >= 0) & batch.has_token
    generated = -each(words, batch.edit_token.clamp(min=0)).masked_fill(~known[..., None], -HIDDEN)
    gate, copied = copies.unbind(2)
    log_sigmoid = nn.functional.logsigmoid
    mixed = torch.logaddexp(log_sigmoid(gate) + generated, log_sigmoid(-gate) + copied)
    needs = batch.has_token & (batch.edit_op != DELETE)
    token = -torch.where(needs[..., None], mixed, 0.0).sum(1)
    token = token / needs.sum(1).clamp(min=1)[:, None]
    return (operation + token).t()


class DenseConvolution(nn.Module):
    """``LocalConvolution`` over the whole grid, by conv2d."""

    def __init__(self, packed: LocalConvolution) -> None:
        super().__init__()
        self.packed = deepcopy(packed)
        width, wide = packed.convolve.weight.shape
        weight = packed.convolve.weight.detach().view(width, 3, 3, wide // 9)
        self.weight = nn.Parameter(weight.permute(0, 3, 1, 2).contiguous())
        self.back = nn.Parameter(packed.out.weight.detach()[..., None, None].clone())

    def forward(self, grid: Tensor, filled: Tensor) -> Tensor:
        """(B, D, H, W) features, and (B, 1, H, W) bool where there are cells."""
        layer = self.packed
        normed = layer.norm(grid.permute(0, 2, 3, 1)).permute(0, 3, 1, 2) * filled
        near = nn.functional.conv2d(normed, self.weight, layer.convolve.bias, padding=1)
        changed = nn.functional.conv2d(nn.functional.gelu(near), self.back, layer.out.bias)
        return (grid + changed) * filled


def dense_grid(features: Tensor, batch: Batch, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Lay packed (B, N, D) features out as (B, D, H, W), and (B, 1, H, W) bool where cells are."""
    samples, at = batch.valid.nonzero(as_tuple=True)
    row, col = batch.row[samples, at], batch.col[samples, at]
    grid = features.new_zeros(batch.size, height, width, features.shape[-1])
    grid[samples, row, col] = features[samples, at]
    filled = torch.zeros(batch.size, height, width, dtype=torch.bool, device=features.device)
    filled[samples, row, col] = True
    return grid.permute(0, 3, 1, 2), filled[:, None]


def packed_cells(grid: Tensor, batch: Batch) -> Tensor:
    """Read (B, D, H, W) at the batch's cells: (B, N, D), 0 at padding."""
    samples = torch.arange(batch.size, device=grid.device)[:, None]
    cells = grid.permute(0, 2, 3, 1)[samples, batch.row, batch.col]
    return cells * batch.valid[..., None]
