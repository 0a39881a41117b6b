"""Several programs behind one prompt in one row, each as if it were alone, for a decoder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

import torch
from torch import Tensor

from trainers.generators.base import Message

# Changes when the same program would get other tokens: part of every feature source's id.
TEMPLATE = "fenced/v1"
OPENING, CLOSING = "```python\n", "\n```"
MAX_PROMPT_TOKENS = 1536
MAX_CODE_TOKENS = 640
PACK_TOKENS = 1024  # a forward pass; attention within it grows with the square


@dataclass(frozen=True)
class Layout:
    """Where the programs of a row lie: ``owner`` and ``place``, each (tokens,), count from 0.

    ``owner`` is the number of the program that a token belongs to, ``place`` where in it.
    """

    owner: Tensor
    place: Tensor
    programs: int

    @classmethod
    def of(cls, codes: Sequence[Sequence[int]]) -> Self:
        """The programs one behind the other, without padding."""
        sizes = torch.tensor([len(code) for code in codes])
        owner = torch.repeat_interleave(torch.arange(len(codes)), sizes)
        place = torch.arange(len(owner)) - (sizes.cumsum(0) - sizes)[owner]
        return cls(owner, place, len(codes))

    def seen(self, prompt_length: int) -> Tensor:
        """(tokens, prompt + tokens) of bool: a token sees the prompt and its program up to it."""
        own = (self.owner[:, None] == self.owner) & (self.place[:, None] >= self.place)
        return torch.cat([torch.ones(len(own), prompt_length, dtype=torch.bool), own], dim=1)


def prompt_ids(tokenizer: Any, prompt: Sequence[Message]) -> list[int]:
    """Tokenise the chat up to where the answer begins; a very long one keeps its end."""
    turns = [{"role": message.role, "content": message.content} for message in prompt]
    prefilled = turns[-1]["role"] == "assistant"
    text = tokenizer.apply_chat_template(
        turns,
        tokenize=False,
        add_generation_prompt=not prefilled,
        continue_final_message=prefilled,
    )
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids[-MAX_PROMPT_TOKENS:]


def code_ids(tokenizer: Any, code: str) -> list[int]:
    """Tokenise the fenced program; a very long one keeps its beginning."""
    opening, body, closing = (
        tokenizer(text, add_special_tokens=False)["input_ids"] for text in (OPENING, code, CLOSING)
    )
    ids: list[int] = opening + body[: MAX_CODE_TOKENS - len(opening) - len(closing)] + closing
    return ids


def packs(codes: Sequence[list[int]], programs: int) -> Iterator[list[list[int]]]:
    """Cut the codes, in order, into rows of about ``PACK_TOKENS``, at most ``programs`` in each."""
    pack: list[list[int]] = []
    for code in codes:
        size = sum(map(len, pack)) + len(code)
        if pack and (size > PACK_TOKENS or len(pack) == programs):
            yield pack
            pack = []
        pack.append(code)
    if pack:
        yield pack


def packed_states(
    model: Any, tokenizer: Any, prompt: Sequence[Message], codes: Sequence[str], programs: int
) -> Iterator[tuple[Layout, tuple[Tensor, ...]]]:
    """Run a decoder over the codes; the prompt is run once and its keys and values are kept.

    Yields:
        A row's layout and the hidden states of its code tokens at every layer, embeddings first,
        (1, tokens, hidden) each.
    """
    before = prompt_ids(tokenizer, prompt)
    cache = model(torch.tensor([before], device=model.device), use_cache=True).past_key_values
    for pack in packs([code_ids(tokenizer, code) for code in codes], programs):
        layout = Layout.of(pack)
        hidden = model(
            torch.tensor([list(chain(*pack))], device=model.device),
            attention_mask=layout.seen(len(before))[None, None].to(model.device),
            position_ids=(len(before) + layout.place)[None].to(model.device),
            past_key_values=cache,
            output_hidden_states=True,
        ).hidden_states
        yield layout, hidden
        cache.crop(len(before))


def packed_row(prompt: Sequence[int], codes: Sequence[list[int]]) -> dict[str, Tensor]:
    """Make a decoder's inputs for the prompt and all codes in one row, where gradients are wanted.

    Returns:
        ``input_ids`` and ``position_ids``, (1, prompt + tokens), and ``attention_mask``,
        (1, 1, prompt + tokens, prompt + tokens) of bool.
    """
    layout, length = Layout.of(codes), len(prompt)
    first = torch.ones(length, length, dtype=torch.bool).tril()
    hidden_codes = torch.zeros(length, len(layout.owner), dtype=torch.bool)
    mask = torch.cat([torch.cat([first, hidden_codes], dim=1), layout.seen(length)])
    return {
        "input_ids": torch.tensor([[*prompt, *chain(*codes)]]),
        "position_ids": torch.cat([torch.arange(length), length + layout.place])[None],
        "attention_mask": mask[None, None],
    }


def mean_by_owner(states: Tensor, owner: Tensor, programs: int) -> Tensor:
    """(programs, hidden) float32 means of (tokens, hidden); an ``owner`` of -1 counts nowhere.

    A program without a token gets zeros.
    """
    own = owner >= 0
    whose = owner[own]
    total = torch.zeros(programs, states.shape[1], device=states.device)
    total = total.index_add(0, whose, states[own].float())
    return total / torch.bincount(whose, minlength=programs).clamp(min=1)[:, None]


def last_by_owner(states: Tensor, owner: Tensor, programs: int) -> Tensor:
    """(programs, hidden) float32: the state of each program's last token, else zeros."""
    place = torch.arange(len(owner), device=owner.device)
    last = torch.stack([torch.where(owner == i, place, -1).max() for i in range(programs)])
    return states[last.clamp(min=0)].float() * (last >= 0)[:, None]
