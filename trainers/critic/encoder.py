"""Frozen hidden states of a BERT-like encoder over (prompt, code) pairs, for the critic's head."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from trainers.critic.backbone import default_device, free_memory, kind_of, load_config, load_model
from trainers.critic.packing import mean_by_owner
from trainers.critic.pairs import PAIR_TEMPLATE, PairBatch, PairTokenizer
from trainers.errors import WeightsError
from trainers.generators.base import Message


class EncoderStates:
    """The hidden states of an encoder at a middle and the last layer; a ``FeatureSource``.

    A vector is [middle first token, middle mean, last first token, last mean], where the mean is
    over the code's tokens (zeros for an empty program). Padding is masked: a vector does not depend
    on the programs beside it.

    Args:
        name: a folder, or a name on the Hub where that can be reached.
        model_name: the model's identity, which becomes part of ``id``.
        dtype: of the weights; vectors are float32.

    Raises:
        WeightsError: there is no encoder.
    """

    def __init__(self, name: str | Path, model_name: str, *, dtype: torch.dtype) -> None:
        config = load_config(name)
        if kind_of(name, config) != "encoder":
            raise WeightsError(
                f"{name} is a {config.model_type} model, a decoder; its features are those of "
                "HiddenStates, name a BERT-like encoder here"
            )
        self._name, self._dtype = name, dtype
        self._layers = (config.num_hidden_layers // 2, config.num_hidden_layers)
        self.dim = 2 * len(self._layers) * int(config.hidden_size)
        layers = "+".join(map(str, self._layers))
        self.id = f"{model_name}/{PAIR_TEMPLATE}/layers{layers}/{str(dtype).removeprefix('torch.')}"
        self._model: Any = None
        self._pairs: PairTokenizer | None = None

    def __enter__(self) -> Self:
        self._model, tokenizer = load_model(self._name, self._dtype, default_device())
        self._pairs = PairTokenizer(tokenizer, self._model)
        return self

    def __exit__(self, *exc: object) -> None:
        self._model = self._pairs = None
        free_memory()

    @torch.inference_mode()
    def extract(self, prompt: Sequence[Message], codes: Sequence[str]) -> Tensor:
        """(len(codes), dim) float32, in the order of ``codes``."""
        if self._pairs is None:
            raise RuntimeError("enter the encoder first: with EncoderStates(...) as source")
        pairs = [self._pairs.pair(prompt, code) for code in codes]
        features = torch.empty(len(codes), self.dim)
        for batch in self._pairs.batches(pairs, self._model.device):
            features[batch.numbers] = self._pooled(batch)
        return features

    def columns(self, pooling: str) -> list[int]:
        """Which columns a head sees: the means of both layers, or under ``all`` every one."""
        width = self.dim // (2 * len(self._layers))
        return [i for i in range(self.dim) if pooling == "all" or (i // width) % 2 == 1]

    def _pooled(self, batch: PairBatch) -> Tensor:
        """(pairs, dim) of one forward pass."""
        hidden = self._model(**batch.inputs, output_hidden_states=True).hidden_states
        pooled: list[Tensor] = []
        for layer in self._layers:
            state = hidden[layer].float()  # (pairs, width, hidden)
            mean = mean_by_owner(state.flatten(0, 1), batch.owner, len(batch.numbers))
            pooled += [state[:, 0], mean]
        return torch.cat(pooled, dim=1).cpu()
