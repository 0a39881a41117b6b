"""EditHead: where to edit, how, and the new lexeme; the same for all models that are compared.

Predicting edits instead of grids keeps the loss small: locations are scores of cells, and the
vocabulary is read only at ticks and cells that are asked for. Copying what no edit names is then
structural, not learned.
"""

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor, nn

from trainers.ctm.batch import OPERATIONS
from trainers.ctm.config import CTMConfig
from trainers.ctm.modules.attention import HIDDEN
from trainers.ctm.modules.precision import full


@dataclass(frozen=True)
class Replacement:
    """Log-probabilities of new lexemes at E places of each of B samples at K ticks.

    Attributes:
        generate: (K, B, E) log-probability that the lexeme comes from the vocabulary.
        copy: (K, B, E) log-probability that it is copied: the rest.
        pointer: (K, B, E, N) log-probabilities of cells, given that it is copied.
        query: (K, B, E, d_embedding), from which ``EditHead.vocabulary`` reads.
    """

    generate: Tensor
    copy: Tensor
    pointer: Tensor
    query: Tensor


class EditHead(nn.Module):
    """Location, operation, and a token mixed with a copy pointer by a learned gate.

    Args:
        config: widths.
        d_context: width of what the model knows of the whole program, e.g. its synchronisation.
    """

    def __init__(self, config: CTMConfig, d_context: int) -> None:
        super().__init__()
        size = config.d_model
        self.norm = nn.LayerNorm(size)
        self.context = nn.Linear(d_context, size)
        self.static = nn.Linear(size, 1, bias=False)
        self.no_fix = nn.Linear(size, 1)
        self.cell = nn.Linear(size, size)
        self.operation = nn.Linear(size, OPERATIONS)
        self.operation_as_input = nn.Embedding(OPERATIONS, size)
        nn.init.normal_(self.operation_as_input.weight, std=0.1)
        self.query = nn.Linear(size, config.d_embedding)
        self.key = nn.Linear(size, config.d_embedding)
        self.gate = nn.Linear(size, 1)
        self.token_bias = nn.Parameter(torch.zeros(config.vocab_size))

    def locate(self, states: Tensor, context: Tensor, allowed: Tensor) -> Tensor:
        """Score every cell and "no fix".

        Args:
            states: (B, N, d_model), normalised by ``norm``.
            context: (T, B, d_model), of ``context``.
            allowed: (B, N) bool.

        Returns:
            (T, B, N + 1) full precision logits, -1e30 at cells that are not allowed.
        """
        wanted = (context + self.static.weight[0]).transpose(0, 1)  # (B, T, d)
        scores = torch.bmm(wanted, states.to(wanted.dtype).transpose(1, 2)) / sqrt(states.shape[-1])
        scores = full(scores).masked_fill(~allowed[:, None], HIDDEN)
        none = full(self.no_fix(context)).transpose(0, 1)
        return torch.cat([scores, none], -1).transpose(0, 1)

    def edit(self, cells: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Describe edits at cells.

        Args:
            cells: (..., d_model) normalised features.
            context: the same shape, or one that broadcasts to it.

        Returns:
            (..., d_model) hidden states for ``replacement``, and (..., 3) full precision
            log-probabilities of the operations.
        """
        hidden = nn.functional.gelu(self.cell(cells) + context)
        return hidden, full(self.operation(hidden)).log_softmax(-1)

    def replacement(
        self, hidden: Tensor, operation: Tensor, keys: Tensor, allowed: Tensor
    ) -> Replacement:
        """Describe the new lexeme, the vocabulary not yet read.

        Args:
            hidden: (K, B, E, d_model) of ``edit``.
            operation: (K, B, E) int64, which operation it is for.
            keys: (K, B, N, d_embedding) of ``copy_keys``; (1, ...) where all ticks share them.
            allowed: (B, N) bool.
        """
        told = hidden + self.operation_as_input(operation)
        query = self.query(told)
        scores = _dots(query, keys.to(query.dtype)) / sqrt(query.shape[-1])
        pointer = full(scores).masked_fill(~allowed[:, None], HIDDEN).log_softmax(-1)
        gate = full(self.gate(told)).squeeze(-1)
        log_sigmoid = nn.functional.logsigmoid
        return Replacement(log_sigmoid(gate), log_sigmoid(-gate), pointer, query)

    def copy_keys(self, features: Tensor) -> Tensor:
        """(..., N, d_model) normalised cells to (..., N, d_embedding) keys."""
        keys: Tensor = self.key(features)
        return keys

    def vocabulary(self, queries: Tensor, embedding: nn.Embedding) -> Tensor:
        """(R, d_embedding) queries to (R, V) full precision logits by the tied embedding."""
        return full(nn.functional.linear(queries, embedding.weight, self.token_bias))


def _dots(queries: Tensor, keys: Tensor) -> Tensor:
    """(K, B, E, d) with (K, B, N, d) or (1, B, N, d) to (K, B, E, N), shared keys not copied."""
    if len(keys) > 1:
        return queries @ keys.transpose(2, 3)
    ticks, samples, edits, _ = queries.shape
    flat = queries.transpose(0, 1).flatten(1, 2)  # (B, K * E, d)
    scores = torch.bmm(flat, keys[0].transpose(1, 2))
    return scores.view(samples, ticks, edits, -1).transpose(0, 1)
