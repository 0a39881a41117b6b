"""Text to tokens: identifiers whole and split at camelCase and snake_case, and their stems."""

import re
from functools import lru_cache
from itertools import pairwise
from zlib import crc32

_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[^\W\d_A-Za-z]+")
# A part shorter than this is left as it is: its stem would say nothing.
_SHORTEST_STEM = 4
_LONGEST = 64  # characters of an identifier; longer ones are data, not names


def identifiers(text: str) -> list[str]:
    """All identifiers and words of a text in order, as written; not the very long ones."""
    return [word for word in _IDENTIFIER.findall(text) if len(word) <= _LONGEST]


@lru_cache(maxsize=1 << 18)
def tokens_of(identifier: str) -> tuple[str, ...]:
    """The tokens of one identifier in lower case: itself, then its parts where it has several."""
    parts = [part.lower() for part in _PART.findall(identifier)]
    whole = identifier.lower()
    return tuple(parts) if parts == [whole] else (whole, *parts)


def tokens(text: str) -> list[str]:
    """The tokens of a text in order (see ``tokens_of``)."""
    return [token for word in identifiers(text) for token in tokens_of(word)]


@lru_cache(maxsize=1 << 18)
def stem(token: str) -> str:
    """A token without its English ending, so that "caches", "cached" and "caching" meet.

    A few suffix rules after Porter (1980), "An algorithm for suffix stripping", step 1; names with
    an underscore stay whole.
    """
    if len(token) <= _SHORTEST_STEM or "_" in token:
        return token
    word = token
    if word.endswith("ies"):
        word = word[:-3] + "y"
    elif word.endswith("s") and word[-2] not in "sui":
        word = word[:-1]
    if word.endswith("ing") and len(word) > 6:
        word = word[:-3]
    elif word.endswith("ed") and len(word) > 5:
        word = word[:-2]
    if word.endswith("e") and len(word) > _SHORTEST_STEM:
        word = word[:-1]
    return word


def pair_code(first: str, second: str) -> int:
    """A number in [0, 2**31) for two neighbouring identifiers, the same on every machine."""
    return crc32(f"{first.lower()} {second.lower()}".encode()) & 0x7FFFFFFF


def pair_codes(words: list[str]) -> list[int]:
    """The codes of all neighbouring pairs of a list of identifiers, in order."""
    return [pair_code(first, second) for first, second in pairwise(words)]
