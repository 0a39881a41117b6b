"""Frozen hidden states of a code model over ``[PROMPT] + [CODE]``: what the critic's head sees."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from trainers.errors import WeightsError
from trainers.generators.base import Message

# Changes when the same program would get other features: part of the cache's key.
TEMPLATE = "fenced/v1"
OPENING, CLOSING = "```python\n", "\n```"
MAX_PROMPT_TOKENS = 1536
MAX_CODE_TOKENS = 640
PACK_TOKENS = 1024  # a forward pass; attention within it grows with the square


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


class HiddenStates:
    """The hidden states of a Hugging Face model at a middle and the last layer, pooled.

    A vector is [middle last token, middle mean, last last token, last mean], where the mean is over
    the code's tokens. The prompt is run once a problem and its keys and values are kept. The codes
    stand behind it in one row without padding, under a mask that shows each the prompt and itself,
    and at the positions that it would have alone: a vector does not depend on its neighbours.
    """

    def __init__(
        self, folder: Path, model_name: str, *, programs_a_pass: int, dtype: torch.dtype
    ) -> None:
        from transformers import AutoConfig

        if not (folder / "config.json").is_file():
            raise WeightsError(f"{folder} holds no model (config.json); run `kent model pull`")
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        self._folder, self._programs, self._dtype = folder, programs_a_pass, dtype
        self._layers = (config.num_hidden_layers // 2, config.num_hidden_layers)
        self.dim = 2 * len(self._layers) * int(config.hidden_size)
        layers = "+".join(map(str, self._layers))
        self.id = f"{model_name}/{TEMPLATE}/layers{layers}/{str(dtype).removeprefix('torch.')}"
        self._model: Any = None
        self._tokenizer: Any = None

    def __enter__(self) -> Self:
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        logging.set_verbosity_error()  # it reports the unused output layer
        self._tokenizer = AutoTokenizer.from_pretrained(self._folder, local_files_only=True)
        self._model = AutoModel.from_pretrained(
            self._folder, dtype=self._dtype, local_files_only=True, attn_implementation="sdpa"
        )
        self._model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
        return self

    def __exit__(self, *exc: object) -> None:
        self._model = self._tokenizer = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    @torch.inference_mode()
    def extract(self, prompt: Sequence[Message], codes: Sequence[str]) -> Tensor:
        """See :class:`FeatureSource`."""
        prompt_ids = self._prompt_ids(prompt)
        cache = self._model(
            torch.tensor([prompt_ids], device=self._model.device), use_cache=True
        ).past_key_values
        features = []
        for pack in self._packs([self._code_ids(code) for code in codes]):
            features.append(self._pooled(cache, len(prompt_ids), pack))
            cache.crop(len(prompt_ids))
        return torch.cat(features)

    def columns(self, pooling: str) -> list[int]:
        """See :class:`FeatureSource`."""
        width = self.dim // (2 * len(self._layers))
        return [i for i in range(self.dim) if pooling == "all" or (i // width) % 2 == 1]

    def _prompt_ids(self, prompt: Sequence[Message]) -> list[int]:
        """Tokenise the chat up to where the answer begins; a very long one keeps its end."""
        turns = [{"role": message.role, "content": message.content} for message in prompt]
        prefilled = turns[-1]["role"] == "assistant"
        text = self._tokenizer.apply_chat_template(
            turns,
            tokenize=False,
            add_generation_prompt=not prefilled,
            continue_final_message=prefilled,
        )
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids[-MAX_PROMPT_TOKENS:]

    def _code_ids(self, code: str) -> list[int]:
        """Tokenise the fenced program; a very long one keeps its beginning."""
        opening, body, closing = (
            self._tokenizer(text, add_special_tokens=False)["input_ids"]
            for text in (OPENING, code, CLOSING)
        )
        ids: list[int] = opening + body[: MAX_CODE_TOKENS - len(opening) - len(closing)] + closing
        return ids

    def _packs(self, codes: Sequence[list[int]]) -> Iterator[list[list[int]]]:
        """Cut the codes, in their order, into rows of about ``PACK_TOKENS``."""
        pack: list[list[int]] = []
        for code in codes:
            size = sum(map(len, pack)) + len(code)
            if pack and (size > PACK_TOKENS or len(pack) == self._programs):
                yield pack
                pack = []
            pack.append(code)
        if pack:
            yield pack

    def _pooled(self, cache: Any, prompt_length: int, pack: list[list[int]]) -> Tensor:
        """(programs, dim): one forward pass over a pack behind the prompt in ``cache``."""
        device = self._model.device
        sizes = torch.tensor([len(code) for code in pack])
        owner = torch.repeat_interleave(torch.arange(len(pack)), sizes)  # (tokens,)
        ends = sizes.cumsum(0)
        place = torch.arange(len(owner)) - (ends - sizes)[owner]  # (tokens,) within its code
        own = (owner[:, None] == owner) & (place[:, None] >= place)
        seen = torch.cat([torch.ones(len(owner), prompt_length, dtype=torch.bool), own], dim=1)
        hidden = self._model(
            torch.tensor([list(chain(*pack))], device=device),
            attention_mask=seen[None, None].to(device),  # (1, 1, tokens, prompt + tokens)
            position_ids=(prompt_length + place)[None].to(device),
            past_key_values=cache,
            output_hidden_states=True,
        ).hidden_states
        pooled: list[Tensor] = []
        for layer in self._layers:
            state = hidden[layer][0].float().cpu()  # (tokens, hidden)
            total = torch.zeros(len(pack), state.shape[1]).index_add_(0, owner, state)
            pooled += [state[ends - 1], total / sizes[:, None]]
        return torch.cat(pooled, dim=1)
