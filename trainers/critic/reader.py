"""One vector per program from a model whose weights may be tuned, and the head that scores it."""

from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from trainers.critic.backbone import Kind, kind_of, load_config, load_model
from trainers.critic.packing import (
    TEMPLATE,
    Layout,
    code_ids,
    last_by_owner,
    mean_by_owner,
    packed_row,
    packed_states,
    prompt_ids,
)
from trainers.critic.pairs import PAIR_TEMPLATE, PairTokenizer
from trainers.generators.base import Message

Pooling = Literal["mean", "last"]


def template_of(kind: Kind) -> str:
    """How programs become tokens; another one gives other vectors."""
    return TEMPLATE if kind == "decoder" else PAIR_TEMPLATE


class ScalarHead(nn.Module):
    """A linear map from (programs, hidden) vectors to (programs,) logits; begins at 0.

    Vectors are brought to length 1, so that a step of a given size moves the scores of a model of
    any width and any scale of its states by about as much.
    """

    def __init__(self, hidden: int, device: str) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden, 1, device=device)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, vectors: Tensor) -> Tensor:
        """See the class."""
        width = vectors.shape[1]
        logits: Tensor = self.linear(layer_norm(vectors, (width,)) / sqrt(width))
        return logits[:, 0]


class ProgramReader:
    """A decoder or an encoder that turns the programs of one problem into vectors.

    A decoder reads them in packed rows behind their prompt, an encoder as pairs. Its last layer's
    states are pooled over the code's tokens, in float32. ``model`` is the model itself: adapters
    that are put into it are used.

    Raises:
        WeightsError: there is no model, or none of these two kinds.
    """

    def __init__(self, folder: Path, *, dtype: torch.dtype, device: str) -> None:
        config = load_config(folder)
        self.kind = kind_of(folder, config)
        self.hidden = int(config.hidden_size)
        attention = "sdpa" if self.kind == "decoder" else None
        self.model, self._tokenizer = load_model(folder, dtype, device, attention)
        self._pairs = PairTokenizer(self._tokenizer, self.model) if self.kind == "encoder" else None
        self._dtype, self._device = dtype, torch.device(device)

    def in_one_pass(
        self, prompt: Sequence[Message], codes: Sequence[str], pooling: Pooling
    ) -> Tensor:
        """(len(codes), hidden): all programs in one forward pass, with gradients."""
        if self._pairs:
            pairs = [self._pairs.pair(prompt, code) for code in codes]
            batch = self._pairs.padded(pairs, range(len(pairs)), self._device)
            inputs: dict[str, Any] = {**batch.inputs}
            owner = batch.owner
        else:
            before = prompt_ids(self._tokenizer, prompt)
            own = [code_ids(self._tokenizer, code) for code in codes]
            inputs = {**packed_row(before, own), "use_cache": False}
            owner = torch.cat([torch.full((len(before),), -1), Layout.of(own).owner])
        placed = {
            name: value.to(self._device) if isinstance(value, Tensor) else value
            for name, value in inputs.items()
        }
        with self._autocast():
            states = self.model(**placed).last_hidden_state.flatten(0, 1)  # (tokens, hidden)
        return _pool(states, owner.to(self._device), len(codes), pooling)

    @torch.inference_mode()
    def in_batches(
        self, prompt: Sequence[Message], codes: Sequence[str], pooling: Pooling, programs: int
    ) -> Tensor:
        """(len(codes), hidden): the same without gradients, at most ``programs`` a packed row."""
        with self._autocast():
            if self._pairs:
                return self._encoded(self._pairs, prompt, codes, pooling)
            rows = packed_states(self.model, self._tokenizer, prompt, codes, programs)
            return torch.cat([
                _pool(hidden[-1][0], layout.owner.to(self._device), layout.programs, pooling)
                for layout, hidden in rows
            ])  # fmt: skip

    def _encoded(
        self, pair_up: PairTokenizer, prompt: Sequence[Message], codes: Sequence[str],
        pooling: Pooling,
    ) -> Tensor:  # fmt: skip
        pairs = [pair_up.pair(prompt, code) for code in codes]
        out = torch.empty(len(codes), self.hidden, device=self._device)
        for batch in pair_up.batches(pairs, self._device):
            states = self.model(**batch.inputs).last_hidden_state.flatten(0, 1)
            out[batch.numbers] = _pool(states, batch.owner, len(batch.numbers), pooling)
        return out

    def _autocast(self) -> torch.autocast:
        """Over weights of bfloat16 the adapters multiply in it too; they are kept in float32."""
        half = self._dtype == torch.bfloat16
        return torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=half)


def _pool(states: Tensor, owner: Tensor, programs: int, pooling: Pooling) -> Tensor:
    return (mean_by_owner if pooling == "mean" else last_by_owner)(states, owner, programs)
