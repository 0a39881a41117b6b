"""NeuralMemoryNetwork: recalls a label's index from a hypervector; its head grows with the labels.

Source: the seed's ``NeuralMemoryNetwork`` ("classification head: key → index"; its layers are in
code trainer §3.1). There patterns and tokens shared one output; here each label has an output.
"""

import json
from math import sqrt
from typing import Self, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from memory.errors import HologramError

HIDDEN = 256
_FORMAT = "neural-memory/1"


class NeuralMemoryNetwork(nn.Module):
    """Encoder and classification head.

    Args:
        dimensions: of a key.
        hidden: width of the encoder's two layers.
        labels: how many outputs the head has; ``grow`` adds more.
        dropout: share of hidden units left out in training.
        seed: of the encoder's first weights: the same seed is the same network.
    """

    def __init__(
        self,
        dimensions: int,
        hidden: int = HIDDEN,
        labels: int = 0,
        *,
        dropout: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.dimensions, self.hidden = dimensions, hidden
        generator = torch.Generator().manual_seed(seed)
        self.encoder = nn.Sequential(
            _linear(dimensions, hidden, generator),
            nn.GELU(),
            nn.Dropout(dropout),
            _linear(hidden, hidden, generator),
            nn.GELU(),
        )
        self.head = _empty_head(hidden, labels)
        self.eval()

    @property
    def labels(self) -> int:
        """How many labels the head tells apart."""
        return self.head.out_features

    def grow(self, labels: int) -> None:
        """Give the head outputs for ``labels`` labels; those it has keep their weights.

        A new output starts at zero, below what the network is sure of: nothing that was learned
        changes before the new label is.
        """
        if labels <= self.labels:
            return
        head = _empty_head(self.hidden, labels)
        with torch.no_grad():
            head.weight[: self.labels] = self.head.weight
            head.bias[: self.labels] = self.head.bias
        self.head = head

    def encode(self, keys: Tensor) -> Tensor:
        """Map keys (n, dimensions), of any length (norm), to (n, hidden)."""
        keys = keys.to(torch.float32)
        scale = sqrt(self.dimensions) / keys.norm(dim=-1, keepdim=True).clamp(min=1e-6)
        return cast(Tensor, self.encoder(keys * scale))

    def forward(self, keys: Tensor) -> Tensor:
        """Map keys (n, dimensions) to logits (n, labels)."""
        return cast(Tensor, self.head(self.encode(keys)))

    @torch.no_grad()
    def query(self, key: Tensor, k: int = 1) -> list[tuple[int, float]]:
        """The ``k`` likeliest label indexes of a key (dimensions,), with their probabilities.

        Fewer where there are fewer labels; none where there is none.
        """
        if not self.labels:
            return []
        probabilities = self(key[None]).softmax(dim=-1)[0]
        values, indexes = probabilities.topk(min(k, self.labels))
        return list(zip(indexes.tolist(), values.tolist(), strict=True))

    def to_bytes(self) -> bytes:
        """The weights as safetensors, with what is needed to make the network anew."""
        shape = {"dimensions": self.dimensions, "hidden": self.hidden, "labels": self.labels}
        metadata = {"format": _FORMAT, "shape": json.dumps(shape)}
        tensors = {name: tensor.contiguous() for name, tensor in self.state_dict().items()}
        return save(tensors, metadata)

    @classmethod
    def from_bytes(cls, content: bytes, *, dropout: float = 0.1) -> Self:
        """The network that ``to_bytes`` wrote.

        Raises:
            HologramError: these are no such weights.
        """
        try:
            tensors = load(content)
            hidden, dimensions = tensors["encoder.0.weight"].shape
            labels = tensors["head.bias"].shape[0]
            network = cls(dimensions, hidden, labels, dropout=dropout)
            network.load_state_dict(tensors)
        except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
            raise HologramError(f"these are no weights of a neural memory: {error}") from error
        return network


class _Layer(nn.Linear):
    """A layer whose first weights are set by who makes it: no shared random state is used."""

    def reset_parameters(self) -> None:
        """Leave the weights unset."""


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A layer with PyTorch's own first weights, drawn from a generator of its own."""
    layer = _Layer(inputs, outputs)
    bound = 1 / sqrt(inputs)
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.uniform_(-bound, bound, generator=generator)
    return layer


def _empty_head(hidden: int, labels: int) -> nn.Linear:
    head = _Layer(hidden, labels)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.zero_()
    return head
