"""CodeGeneratorNetwork: an edit script from an issue's hypervector, step by step (seed: code
trainer §3.1).

The seed's network had one fixed vocabulary, no positions and no causal mask. Here an issue's vector
is encoded as in NeuralMemoryNetwork; the pattern head has a size of its own, and what it finds is
read as a state; the decoder is causal and points into what the task itself holds: places of the
window, and tokens of the task's vocabulary by their hashed n-grams (pointer networks: Vinyals et
al. 2015).
"""

from dataclasses import dataclass
from math import sqrt
from typing import cast

import torch
from torch import Tensor, nn

from trainers.code_trainer.attention import DecoderLayer, LayerCache
from trainers.code_trainer.choices import (
    FIRST_PLACE,
    FIRST_TOKEN,
    MAX_STEPS,
    PLACES,
    choice_mask,
)
from trainers.code_trainer.token_codes import BUCKETS
from trainers.code_trainer.vocabulary import FEATURES

_SLOTS = 2  # the issue's state and the pattern's, before the window's in the memory


@dataclass(frozen=True)
class NetworkSpec:
    """The network's size. ``patterns``: outputs of the pattern head; it grows."""

    dimensions: int = 10_000
    hidden: int = 256
    layers: int = 2
    heads: int = 4
    dropout: float = 0.1
    patterns: int = 0


@dataclass(frozen=True)
class Inputs:
    """What a batch of tasks gives the network to read.

    Attributes:
        issues: float (batch, dimensions), of any length.
        window: int64 (batch, w): ids of the window's tokens in their vocabularies; 0 is none.
        focus: bool (batch, w): tokens of the line that the location names.
        codes: int64 (batch, v, WIDTH): the vocabularies' tokens (``token_codes``).
        features: float (batch, v, FEATURES) of the vocabularies.
        allowed: bool (batch, v): what may be emitted.
        patterns: float (batch, patterns) weights of recalled patterns, or None: the head's own.
    """

    issues: Tensor
    window: Tensor
    focus: Tensor
    codes: Tensor
    features: Tensor
    allowed: Tensor
    patterns: Tensor | None = None


@dataclass(frozen=True)
class Encoded:
    """What the decoder reads, computed once for a task: memory, places and tokens as states."""

    memory: list[LayerCache]
    visible: Tensor
    places: Tensor
    tokens: Tensor
    has_place: Tensor
    allowed: Tensor
    pattern_logits: Tensor

    def repeat(self, count: int) -> "Encoded":
        """The same for ``count`` beams of a batch of one."""
        rows = torch.zeros(count, dtype=torch.int64, device=self.tokens.device)
        return Encoded(
            [layer.select(rows) for layer in self.memory],
            self.visible[rows],
            self.places[rows],
            self.tokens[rows],
            self.has_place[rows],
            self.allowed[rows],
            self.pattern_logits[rows],
        )


class CodeGeneratorNetwork(nn.Module):
    """Encoder, pattern head, and a causal pointer decoder over one task's window and vocabulary."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        hidden = spec.hidden
        self.encoder = nn.Sequential(
            nn.Linear(spec.dimensions, hidden),
            nn.GELU(),
            nn.Dropout(spec.dropout),
            nn.Linear(hidden, hidden),
            nn.GELU(),
        )
        self.pattern_head = nn.Linear(hidden, spec.patterns)
        self.token_bag = nn.EmbeddingBag(BUCKETS, hidden, mode="mean", padding_idx=0)
        self.source = nn.Linear(len(FEATURES), hidden)
        self.place = nn.Embedding(PLACES, hidden)
        self.in_focus = nn.Embedding(2, hidden)
        self.first_choices = nn.Embedding(1 + FIRST_PLACE, hidden)  # start, operations
        self.step = nn.Embedding(MAX_STEPS, hidden)
        self.reader = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(
                hidden, spec.heads, 2 * hidden, spec.dropout, batch_first=True, norm_first=True
            ),
            spec.layers,
            enable_nested_tensor=False,
        )
        self.layers = nn.ModuleList(
            DecoderLayer(hidden, spec.heads, spec.dropout) for _ in range(spec.layers)
        )
        self.norm = nn.LayerNorm(hidden)
        self.to_place, self.to_token = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)
        self.token_bias = nn.Linear(len(FEATURES), 1)
        # PyTorch's N(0, 1) of a place or step would drown the token's own, a mean of many rows.
        for table in (self.place, self.in_focus, self.step, self.first_choices):
            nn.init.normal_(table.weight, std=0.1)
        nn.init.normal_(self.token_bag.weight, std=0.5)

    def grow_patterns(self, patterns: int) -> None:
        """Give the pattern head more outputs; those it has keep their weights, new ones are 0."""
        old = self.pattern_head
        if patterns <= old.out_features:
            return
        head = nn.Linear(self.spec.hidden, patterns)
        with torch.no_grad():
            head.weight.zero_()
            head.bias.zero_()
            head.weight[: old.out_features] = old.weight
            head.bias[: old.out_features] = old.bias
        self.pattern_head = head
        self.spec = NetworkSpec(**{**vars(self.spec), "patterns": patterns})

    def forward_classify(self, issues: Tensor) -> Tensor:
        """Map (batch, dimensions) to logits of patterns (batch, patterns)."""
        return cast(Tensor, self.pattern_head(self._issue(issues)))

    def encode(self, inputs: Inputs) -> Encoded:
        """Read a batch of tasks once."""
        issue = self._issue(inputs.issues)
        logits = self.pattern_head(issue)
        weights = logits.softmax(-1) if inputs.patterns is None else inputs.patterns
        pattern = weights @ self.pattern_head.weight
        tokens = self._tokens(inputs)
        places, has_place = self._places(inputs, tokens)
        states = torch.cat([issue[:, None], pattern[:, None], places], 1)
        seen = torch.cat([has_place.new_ones(len(issue), _SLOTS), has_place], 1)
        memory = self.reader(states, src_key_padding_mask=~seen)
        bias = self.token_bias(inputs.features)
        return Encoded(
            [cast(DecoderLayer, layer).other.remember(memory) for layer in self.layers],
            seen[:, None, None, :],
            memory[:, _SLOTS:],
            torch.cat([self.to_token(tokens), bias], -1),
            has_place,
            inputs.allowed,
            logits,
        )

    def decode(self, encoded: Encoded, choices: Tensor) -> Tensor:
        """Logits of every next choice, all steps at once (teacher forcing).

        Args:
            encoded: of a batch.
            choices: int64 (batch, steps): the choices before; steps 0 is the start alone.

        Returns:
            float (batch, steps + 1, choices); -inf where the grammar forbids.
        """
        states, _ = self._decode(encoded, choices, True, None)
        return states

    def forward_generate(
        self, encoded: Encoded, last: Tensor | None, cache: list[LayerCache] | None
    ) -> tuple[Tensor, list[LayerCache]]:
        """Logits of the next choice (batch, choices) after the last one (batch,), and the cache.

        The first call has neither ``last`` nor ``cache``.
        """
        empty = encoded.tokens.new_zeros(len(encoded.tokens), 0, dtype=torch.int64)
        choices = empty if last is None else last[:, None]
        logits, cache = self._decode(encoded, choices, last is None, cache)
        return logits[:, -1], cache

    def _decode(
        self, encoded: Encoded, choices: Tensor, start: bool, cache: list[LayerCache] | None
    ) -> tuple[Tensor, list[LayerCache]]:
        before = cache[0].keys.shape[2] if cache else 0
        states = self._read_choices(encoded, choices)
        if start:
            first = self.first_choices.weight[0].expand(len(encoded.tokens), 1, -1)
            states = torch.cat([first, states], 1)
        steps = torch.arange(before, before + states.shape[1], device=states.device)
        states = states + self.step(steps)
        caches = []
        for i, layer in enumerate(self.layers):
            past = cache[i] if cache else None
            states, own = layer(states, encoded.memory[i], encoded.visible, past)
            caches.append(own)
        return self._logits(encoded, self.norm(states), steps), caches

    def _logits(self, encoded: Encoded, states: Tensor, steps: Tensor) -> Tensor:
        scale = sqrt(self.spec.hidden)
        tokens, bias = encoded.tokens[..., :-1], encoded.tokens[..., -1]
        logits = torch.cat(
            [
                states @ self.first_choices.weight[1:].T,
                self.to_place(states) @ encoded.places.transpose(1, 2),
                states @ tokens.transpose(1, 2) + scale * bias[:, None],
            ],
            -1,
        )
        mask = choice_mask(steps, encoded.has_place, encoded.allowed)
        return (logits / scale).masked_fill(~mask, -torch.inf)

    def _read_choices(self, encoded: Encoded, choices: Tensor) -> Tensor:
        """The states of choices of any kind: (batch, steps) to (batch, steps, hidden)."""
        rows = torch.arange(len(choices), device=choices.device)[:, None]
        places = (choices - FIRST_PLACE).clamp(0, encoded.places.shape[1] - 1)
        tokens = (choices - FIRST_TOKEN).clamp(0)
        operation = self.first_choices(1 + choices.clamp(max=FIRST_PLACE - 1))
        states = torch.where(
            (choices < FIRST_TOKEN)[..., None],
            encoded.places[rows, places],
            encoded.tokens[rows, tokens, :-1],
        )
        return torch.where((choices < FIRST_PLACE)[..., None], operation, states)

    def _issue(self, issues: Tensor) -> Tensor:
        scale = sqrt(self.spec.dimensions) / issues.norm(dim=-1, keepdim=True).clamp(min=1e-6)
        return cast(Tensor, self.encoder(issues * scale))

    def _tokens(self, inputs: Inputs) -> Tensor:
        batch, size, width = inputs.codes.shape
        bags = self.token_bag(inputs.codes.reshape(-1, width)).view(batch, size, -1)
        return cast(Tensor, bags + self.source(inputs.features))

    def _places(self, inputs: Inputs, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """The places before each token of the window and after the last, padded to PLACES."""
        batch, length = inputs.window.shape
        rows = torch.arange(batch, device=tokens.device)[:, None]
        states = tokens[rows, inputs.window] + self.in_focus(inputs.focus.long())
        states = states * (inputs.window > 0)[..., None]
        full = tokens.new_zeros(batch, PLACES, tokens.shape[-1])
        full[:, :length] = states
        count = (inputs.window > 0).sum(1, keepdim=True)
        has_place = torch.arange(PLACES, device=tokens.device)[None] <= count
        return full + self.place.weight, has_place
