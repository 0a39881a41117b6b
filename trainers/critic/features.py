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
TEMPLATE = "fenced+question/v1"
OPENING, CLOSING = "```python\n", "\n```"
QUESTION = "Does this program do what was asked, on every input? Answer with one word, Yes or No."
LAYERS = (1 / 3, 1 / 2, 2 / 3, 5 / 6, 1.0)  # of the model's depth
POOLED = ("last", "mean", "question")  # of each layer, in this order
POOLINGS = {"mean": {"mean"}, "question": {"question"}, "mean+question": {"mean", "question"},
            "all": set(POOLED)}  # fmt: skip
_MARK = "\x1f"
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
    """The hidden states of a Hugging Face model at some layers, pooled.

    A vector has for each layer [code's last token, mean over the code's tokens, last token of the
    question]: after the code the model is asked whether it is right, and the state from which it
    would answer has looked at the whole program with that in mind. The prompt is run once a problem
    and its keys and values are kept. The codes stand behind it in one row without padding, under a
    mask that shows each the prompt and itself, and at the positions that it would have alone: a
    vector does not depend on its neighbours.
    """

    def __init__(
        self, folder: Path, model_name: str, *, programs_a_pass: int, dtype: torch.dtype
    ) -> None:
        from transformers import AutoConfig

        if not (folder / "config.json").is_file():
            raise WeightsError(f"{folder} holds no model (config.json); run `kent model pull`")
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        self._folder, self._programs, self._dtype = folder, programs_a_pass, dtype
        self._layers = [max(1, round(part * config.num_hidden_layers)) for part in LAYERS]
        self.dim = len(POOLED) * len(self._layers) * int(config.hidden_size)
        layers = "+".join(map(str, self._layers))
        self.id = f"{model_name}/{TEMPLATE}/layers{layers}/{str(dtype).removeprefix('torch.')}"
        self._model: Any = None
        self._tokenizer: Any = None
        self._question: list[int] = []

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
        self._question = self._question_ids()
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
        width = self.dim // (len(POOLED) * len(self._layers))
        wanted = POOLINGS[pooling]
        return [i for i in range(self.dim) if POOLED[(i // width) % len(POOLED)] in wanted]

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
        return self._ids(text)[-MAX_PROMPT_TOKENS:]

    def _code_ids(self, code: str) -> list[int]:
        """Tokenise the fenced program; a very long one keeps its beginning."""
        opening, body, closing = (self._ids(text) for text in (OPENING, code, CLOSING))
        return opening + body[: MAX_CODE_TOKENS - len(opening) - len(closing)] + closing

    def _question_ids(self) -> list[int]:
        """Tokenise what stands between the end of the program and the answer to the question."""
        turns = [("user", "-"), ("assistant", _MARK), ("user", QUESTION)]
        text: str = self._tokenizer.apply_chat_template(
            [{"role": role, "content": content} for role, content in turns],
            tokenize=False,
            add_generation_prompt=True,
        )
        return self._ids(text.rpartition(_MARK)[2])

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
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
        device, asked = self._model.device, len(self._question)
        sizes = torch.tensor([len(code) + asked for code in pack])
        owner = torch.repeat_interleave(torch.arange(len(pack)), sizes)  # (tokens,)
        ends = sizes.cumsum(0)
        place = torch.arange(len(owner)) - (ends - sizes)[owner]  # (tokens,) within its code
        own = (owner[:, None] == owner) & (place[:, None] >= place)
        seen = torch.cat([torch.ones(len(owner), prompt_length, dtype=torch.bool), own], dim=1)
        hidden = self._model(
            torch.tensor([list(chain(*(code + self._question for code in pack)))], device=device),
            attention_mask=seen[None, None].to(device),  # (1, 1, tokens, prompt + tokens)
            position_ids=(prompt_length + place)[None].to(device),
            past_key_values=cache,
            output_hidden_states=True,
        ).hidden_states
        in_code = place < (sizes - asked)[owner]  # (tokens,)
        pooled: list[Tensor] = []
        for layer in self._layers:
            state = hidden[layer][0].float().cpu()  # (tokens, hidden)
            total = torch.zeros(len(pack), state.shape[1])
            total.index_add_(0, owner[in_code], state[in_code])
            mean = total / (sizes - asked)[:, None]
            pooled += [state[ends - asked - 1], mean, state[ends - 1]]
        return torch.cat(pooled, dim=1)
