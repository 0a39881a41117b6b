"""A prompt and a program as a pair of texts for an encoder, in batches of like length."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trainers.critic.packing import MAX_CODE_TOKENS, MAX_PROMPT_TOKENS
from trainers.errors import WeightsError
from trainers.generators.base import Message

# Changes when the same program would get other tokens: part of every feature source's id.
PAIR_TEMPLATE = "pair/v1"
BATCH_TOKENS = 8192  # of a forward pass, padding included


@dataclass(frozen=True)
class Pair:
    """One input, three lists as long: its tokens, their types, and 1 where the code's are."""

    ids: list[int]
    types: list[int]
    code: list[int]


@dataclass(frozen=True)
class PairBatch:
    """Pairs of a batch: ``inputs`` of the model, ``code`` (pairs, width) of bool, and which."""

    numbers: list[int]
    inputs: dict[str, Tensor]
    code: Tensor

    @property
    def owner(self) -> Tensor:
        """(pairs * width,): which pair's code a token belongs to, -1 for none."""
        rows = torch.arange(len(self.numbers), device=self.code.device)[:, None]
        return torch.where(self.code, rows, -1).flatten()


class PairTokenizer:
    """Tokenises pairs for one model, within the length that the model has positions for.

    A code longer than ``MAX_CODE_TOKENS`` or than the model keeps its beginning; the prompt gets
    what is left and keeps its beginning, where the statement is. Where the tokenizer knows no
    pairs, the two texts follow each other, a line apart.
    """

    def __init__(self, tokenizer: Any, model: Any) -> None:
        if not tokenizer.is_fast:
            raise WeightsError(
                f"{tokenizer.name_or_path} has no tokenizer.json, which pairs are made with; name "
                "a model that has one"
            )
        self._backend = tokenizer.backend_tokenizer
        # A tokenizer.json may hold both; lengths are this class's affair.
        self._backend.no_truncation()
        self._backend.no_padding()
        self._specials = self._backend.num_special_tokens_to_add(is_pair=True)
        self._typed = getattr(model.config, "type_vocab_size", 0) > 1
        self._pad = tokenizer.pad_token_id or 0
        longest = MAX_PROMPT_TOKENS + MAX_CODE_TOKENS
        self._room = min(longest, _positions(tokenizer, model)) - self._specials

    def pair(self, prompt: Sequence[Message], code: str) -> Pair:
        """Tokenise what the user asks in ``prompt`` and a program."""
        asked = "\n".join(message.content for message in prompt if message.role == "user")
        between = "" if self._specials else "\n"
        first = self._backend.encode(asked + between, add_special_tokens=False)
        second = self._backend.encode(code, add_special_tokens=False)
        second.truncate(min(self._room, MAX_CODE_TOKENS))
        first.truncate(self._room - len(second))
        whole = self._backend.post_process(first, second)
        return Pair(whole.ids, whole.type_ids, [int(part == 1) for part in whole.sequence_ids])

    def batches(self, pairs: Sequence[Pair], device: torch.device) -> Iterator[PairBatch]:
        """Cut pairs, sorted by length, into batches of at most ``BATCH_TOKENS`` padded tokens."""
        order = sorted(range(len(pairs)), key=lambda number: len(pairs[number].ids))
        batch: list[int] = []
        for number in order:
            if batch and len(pairs[number].ids) * (len(batch) + 1) > BATCH_TOKENS:
                yield self.padded(pairs, batch, device)
                batch = []
            batch.append(number)
        if batch:
            yield self.padded(pairs, batch, device)

    def padded(
        self, pairs: Sequence[Pair], numbers: Sequence[int], device: torch.device
    ) -> PairBatch:
        """Put some of the pairs into one batch, padded on the right."""
        chosen = [pairs[number] for number in numbers]
        width = max(len(pair.ids) for pair in chosen)

        def table(rows: list[list[int]], fill: int) -> Tensor:
            filled = [row + [fill] * (width - len(row)) for row in rows]
            return torch.tensor(filled, device=device)

        inputs = {
            "input_ids": table([pair.ids for pair in chosen], self._pad),
            "attention_mask": table([[1] * len(pair.ids) for pair in chosen], 0),
        }
        if self._typed:
            inputs["token_type_ids"] = table([pair.types for pair in chosen], 0)
        code = table([pair.code for pair in chosen], 0).bool()
        return PairBatch(list(numbers), inputs, code)


def _positions(tokenizer: Any, model: Any) -> int:
    """How many tokens the model has positions for; both sides may name a limit."""
    table = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    # RoBERTa and its kin count positions from behind the padding token's.
    unused = 0 if padding is None else padding + 1
    known = getattr(model.config, "max_position_embeddings", None)
    limit: int = tokenizer.model_max_length
    return min(limit, known - unused) if known else limit
