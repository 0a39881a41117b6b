"""Frozen hidden states of a code model over ``[PROMPT] + [CODE]``: what the critic's head sees."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import torch
from torch import Tensor

from trainers.critic.backbone import default_device, free_memory, load_config, load_model
from trainers.critic.packing import (
    TEMPLATE,
    Layout,
    last_by_owner,
    mean_by_owner,
    packed_states,
)
from trainers.errors import WeightsError
from trainers.generators.base import Message

# Of the model's depth. On five-fold train problems and on validation these two together rank best
# of a third, a half, two thirds, five sixths and all of it; what the model would answer to the
# question whether a program is right ranks no better than chance at 0.5B.
LAYERS = (2 / 3, 5 / 6)
POOLED = ("last", "mean")  # of each layer, in this order
POOLINGS = {"mean": {"mean"}, "all": set(POOLED)}


class FeatureSource(Protocol):
    """Who turns programs into vectors. ``id`` and ``dim`` are known before it is entered."""

    id: str
    dim: int

    def __enter__(self) -> "FeatureSource":
        """Load the model."""

    def __exit__(self, *exc: object) -> None:
        """Free the model's memory."""

    def extract(self, prompt: Sequence[Message], codes: Sequence[str]) -> Tensor:
        """(len(codes), dim) float32: one vector a program behind that prompt."""

    def columns(self, pooling: str) -> list[int]:
        """Which of the ``dim`` columns a head sees under a value of ``critic.pooling``."""


@runtime_checkable
class ManyAtOnce(Protocol):
    """A feature source that computes several pieces of work at a time."""

    def extract_many(
        self, units: Iterable[tuple[Sequence[Message], Sequence[str]]]
    ) -> Iterator[tuple[int, Tensor]]:
        """The number of each unit and its vectors, in no order; read as there is room."""


def extract_each(
    source: FeatureSource, units: Iterable[tuple[Sequence[Message], Sequence[str]]]
) -> Iterator[tuple[int, Tensor]]:
    """The number of each unit (a prompt and programs) and its vectors, by any source."""
    if isinstance(source, ManyAtOnce):
        yield from source.extract_many(units)
        return
    for number, (prompt, codes) in enumerate(units):
        yield number, source.extract(prompt, codes)


class HiddenStates:
    """The hidden states of a Hugging Face model at some layers, pooled.

    A vector has for each layer [last token, mean over the code's tokens]. The prompt is run once a
    problem and its keys and values are kept. The codes stand behind it in one row without padding,
    under a mask that shows each the prompt and itself, and at the positions that it would have
    alone: a vector does not depend on its neighbours. Layers above the last one that is read are
    not loaded.
    """

    def __init__(
        self, folder: Path, model_name: str, *, programs_a_pass: int, dtype: torch.dtype
    ) -> None:
        if not (folder / "config.json").is_file():
            raise WeightsError(f"{folder} holds no model (config.json); run `kent model pull`")
        config = load_config(folder)
        self._folder, self._programs, self._dtype = folder, programs_a_pass, dtype
        depth = int(config.num_hidden_layers)
        self._layers = sorted({max(1, round(part * depth)) for part in LAYERS})
        self.dim = len(POOLED) * len(self._layers) * int(config.hidden_size)
        layers = "+".join(map(str, self._layers))
        self.id = f"{model_name}/{TEMPLATE}/layers{layers}/{str(dtype).removeprefix('torch.')}"
        self._model: Any = None
        self._tokenizer: Any = None

    def __enter__(self) -> Self:
        self._model, self._tokenizer = load_model(
            self._folder, self._dtype, default_device(), attention="sdpa",
            # The last loaded layer's states go through the final norm, so one more is loaded.
            layers=self._layers[-1] + 1,
        )  # fmt: skip
        return self

    def __exit__(self, *exc: object) -> None:
        self._model = self._tokenizer = None
        free_memory()

    @torch.inference_mode()
    def extract(self, prompt: Sequence[Message], codes: Sequence[str]) -> Tensor:
        """See :class:`FeatureSource`."""
        rows = packed_states(self._model, self._tokenizer, prompt, codes, self._programs)
        return torch.cat([self._pooled(layout, hidden) for layout, hidden in rows])

    def columns(self, pooling: str) -> list[int]:
        """See :class:`FeatureSource`."""
        width = self.dim // (len(POOLED) * len(self._layers))
        wanted = POOLINGS[pooling]
        return [i for i in range(self.dim) if POOLED[(i // width) % len(POOLED)] in wanted]

    def _pooled(self, layout: Layout, hidden: tuple[Tensor, ...]) -> Tensor:
        """(programs, dim) of the states of one packed row."""
        pooled: list[Tensor] = []
        for layer in self._layers:
            state = hidden[layer][0].float().cpu()  # (tokens, hidden)
            for pool in (last_by_owner, mean_by_owner):
                pooled.append(pool(state, layout.owner, layout.programs))
        return torch.cat(pooled, dim=1)
