"""Tokens as hashed character n-grams, so that a token no task has shown before has an embedding."""

from collections.abc import Sequence
from functools import lru_cache
from zlib import crc32

import torch
from torch import Tensor

BUCKETS = 1 << 14
"""Row 0 is nothing: it fills what a short token leaves over."""
WIDTH = 12
_GRAM = 3


def token_codes(tokens: Sequence[str]) -> Tensor:
    """int64 (n, WIDTH): rows of an embedding of BUCKETS rows, whose mean is a token's embedding.

    The whole token, its parts at underscores, and its first and last trigrams; the same on every
    machine.
    """
    return torch.tensor([_codes(token) for token in tokens], dtype=torch.int64).reshape(-1, WIDTH)


@lru_cache(maxsize=1 << 17)
def _codes(token: str) -> tuple[int, ...]:
    parts = [f"part {part}" for part in token.lower().split("_") if part and part != token]
    marked = f"^{token[:40].lower()}$"
    grams = [f"gram {marked[i : i + _GRAM]}" for i in range(len(marked) - _GRAM + 1)]
    grams = [*grams[: WIDTH // 2], *grams[WIDTH // 2 :][::-1]]
    names = [f"whole {token}", *parts[:4], *grams][:WIDTH]
    codes = [1 + crc32(name.encode("utf-8", "replace")) % (BUCKETS - 1) for name in names]
    return (*codes, *([0] * (WIDTH - len(codes))))
