"""Counts of word sequences with Witten and Bell's smoothing, small enough for a checkpoint.

Witten and Bell (1991), "The zero-frequency problem": a word's share after a context is mixed with
its share after the context that is one word shorter, by how many different words were seen there.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

_MASK = (1 << 63) - 1
_FACTOR, _SEED = 6364136223846793005, 1442695040888963407
_START, _UNKNOWN = 1, 2
_FLOOR = 1e-4
"""A word's share where nothing at all is known."""

_MOST_KNOWN = 200_000
"""Shares that are kept: the candidates of a program are alike, those of a day are not."""


class NGrams:
    """How likely each word is after the ``order`` - 1 words before it.

    Sequences are kept as 63-bit hashes, so two of them can share a count; of a million pairs that
    happens to less than one in a million.

    Args:
        order: the longest sequence counted.
    """

    def __init__(self, order: int) -> None:
        self.order = order
        self._ids: dict[str, int] = {}
        self._counts: dict[int, int] = {}
        self._contexts: dict[int, tuple[int, int]] = {}
        self._known: dict[tuple[int, ...], float] = {}

    def __len__(self) -> int:
        """The number of different sequences."""
        return len(self._counts)

    def fit(self, texts: Iterable[Sequence[str]], *, least: int = 2) -> None:
        """Count the sequences of some texts, each a list of words.

        Args:
            texts: to count.
            least: how often a context of two words or more must be seen to be kept.
        """
        counts: Counter[int] = Counter()
        kinds: Counter[int] = Counter()
        totals: Counter[int] = Counter()
        parents: dict[int, int] = {}
        for text in texts:
            ids = [_START] * (self.order - 1) + [self._id(word) for word in text]
            for place in range(self.order - 1, len(ids)):
                for context in _contexts(ids, place, self.order):
                    gram = _joined(context, ids[place])
                    if gram not in parents:
                        parents[gram] = context
                        kinds[context] += 1
                    counts[gram] += 1
                    totals[context] += 1
        short = {_SEED, *(_joined(_SEED, number) for number in [_START, *self._ids.values()])}
        kept = {c for c, total in totals.items() if total >= least or c in short}
        self._contexts = {c: (totals[c], kinds[c]) for c in kept}
        self._counts = {gram: n for gram, n in counts.items() if parents[gram] in kept}
        self._known = {}

    def _id(self, word: str) -> int:
        return self._ids.setdefault(word, len(self._ids) + _UNKNOWN + 1)

    def ids(self, words: Iterable[str]) -> list[int]:
        """The numbers of some words, one that was never counted the same for all."""
        return [self._ids.get(word, _UNKNOWN) for word in words]

    def score(self, ids: Sequence[int], start: int, stop: int) -> float:
        """Sum the logarithms of the words' shares from ``start`` to before ``stop``."""
        longest = self.order - 1
        total = 0.0
        for place in range(start, min(stop, len(ids))):
            seen = tuple(ids[max(0, place - longest) : place + 1])
            padded = (_START,) * (longest + 1 - len(seen)) + seen
            known = self._known.get(padded)
            if known is None:
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                known = self._known[padded] = self._log_share(padded)
            total += known
        return total

    def _log_share(self, window: tuple[int, ...]) -> float:
        word, share = window[-1], _FLOOR
        for context in _contexts(window, self.order - 1, self.order):
            seen = self._contexts.get(context)
            if seen is None:
                break
            total, kinds = seen
            share = (self._counts.get(_joined(context, word), 0) + kinds * share) / (total + kinds)
        return log(share)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """What was counted, as arrays of integers, and the words in the order of their numbers."""
        grams, contexts = sorted(self._counts), sorted(self._contexts)
        return {
            "words": np.array(list(self._ids), dtype=np.str_),
            "grams": np.array(grams, dtype=np.int64),
            "counts": np.array([self._counts[gram] for gram in grams], dtype=np.int32),
            "contexts": np.array(contexts, dtype=np.int64),
            "seen": np.array([self._contexts[c] for c in contexts], dtype=np.int32).reshape(-1, 2),
            "order": np.array([self.order], dtype=np.int64),
        }

    @classmethod
    def of_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> "NGrams":
        """Tell what :meth:`arrays` gave, back.

        Raises:
            KeyError, ValueError: an array is missing or of another shape.
        """
        made = cls(int(arrays["order"][0]))
        made._ids = {str(w): n for n, w in enumerate(arrays["words"].tolist(), _UNKNOWN + 1)}
        made._counts = dict(zip(arrays["grams"].tolist(), arrays["counts"].tolist(), strict=True))
        pairs = map(tuple, arrays["seen"].tolist())
        made._contexts = dict(zip(arrays["contexts"].tolist(), pairs, strict=True))
        return made


def _joined(context: int, number: int) -> int:
    return ((context ^ number) * _FACTOR + _SEED) & _MASK


def _contexts(ids: Sequence[int], place: int, order: int) -> list[int]:
    """The hashes of the 0, 1, … ``order`` - 1 words before a place, the nearest word first."""
    found = [_SEED]
    for back in range(1, order):
        found.append(_joined(found[-1], ids[place - back]))
    return found
