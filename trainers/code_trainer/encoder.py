"""Issues, files and functions as weighted hypervectors of one codebook.

A text is the bundle of its terms' vectors with BM25's saturated weights; the weights are kept, no
sign is taken, so that the dot product of an issue and a text estimates their BM25-like score with
noise of about 1/sqrt(D) (5 points of Acc@5 at most, measured). The square root of a term's
rarity weighs on both sides, which makes frequent words add little noise.
"""

import hashlib
import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memory.hologram.codebook import Codebook
from trainers.code_trainer.issue import parse_issue
from trainers.code_trainer.queries import weighted_queries
from trainers.code_trainer.scoring import K1, B
from trainers.code_trainer.tokens import stem, tokens

Floats = NDArray[np.float64]

KIND = "term"
# Mean lengths in tokens, fixed so that a text's vector does not depend on the texts around it.
FUNCTION_LENGTH = 120.0
FILE_LENGTH = 2_500.0
_CACHED = 1_000  # vectors: 40 MB at D = 10,000
_BLOCK = 1_024  # names whose vectors are unpacked at once


class CodeEncoder:
    """Encodes into the hypervectors of a codebook; what compares vectors must share it.

    Args:
        codebook: gives each term its vector.
        rarity: weight of a stem, such as its inverse document frequency; 1 for all by default.
    """

    def __init__(
        self, codebook: Codebook, rarity: Callable[[str], float] = lambda _stemmed: 1.0
    ) -> None:
        self.codebook = codebook
        self._rarity = rarity
        self._cache: OrderedDict[tuple[str, str], Tensor] = OrderedDict()

    def encode_issue(self, text: str, query: str = "all") -> Tensor:
        """float32 (D,) of one of ``queries.QUERIES``; zeros for an issue that says nothing."""
        return self.encode_weights(weighted_queries(parse_issue(text))[query])

    def encode_function(self, text: str) -> Tensor:
        """float32 (D,) of a function's or another chunk's text, cached by its hash."""
        return self._encoded("function", text, FUNCTION_LENGTH)

    def encode_file(self, text: str) -> Tensor:
        """float32 (D,) of a whole file's text, cached by its hash."""
        return self._encoded("file", text, FILE_LENGTH)

    def encode_weights(self, weights: Mapping[str, float]) -> Tensor:
        """float32 (D,): the bundle of stems by their weights times the root of their rarity."""
        rooted = {s: weight * math.sqrt(self._rarity(s)) for s, weight in weights.items()}
        total = torch.zeros(self.codebook.dimensions)
        names = sorted(rooted)
        for first in range(0, len(names), _BLOCK):
            part = {name: rooted[name] for name in names[first : first + _BLOCK]}
            total += self.codebook.weighted(KIND, part)
        return total

    def _encoded(self, kind: str, text: str, mean_length: float) -> Tensor:
        key = (kind, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        vector = self._cache[key] = self.encode_weights(saturated_weights(text, mean_length))
        if len(self._cache) > _CACHED:
            self._cache.popitem(last=False)
        return vector


def saturated_weights(text: str, mean_length: float) -> dict[str, float]:
    """Weight by stem of a text: BM25's saturated counts against a fixed mean length."""
    counts = Counter(tokens(text))
    penalty = K1 * (1 - B + B * sum(counts.values()) / mean_length)
    stems: Counter[str] = Counter()
    for token, count in counts.items():
        stems[stem(token)] += count
    return {stemmed: count * (K1 + 1) / (count + penalty) for stemmed, count in stems.items()}


def seen_through(codebook: Codebook, stems: list[str], weights: Floats) -> Floats:
    """(stems, queries): the weights as the hypervector algebra sees them, crosstalk included.

    With R the stems' vectors (n, D), a bundle of documents W R and of queries (weights' R) have the
    dot products W (R R' weights): this is R R' weights / D, so that any number of documents is
    scored by one sparse product, exactly as if each had been encoded.
    """
    folded = np.zeros((codebook.dimensions, weights.shape[1]), dtype=np.float32)
    used = np.flatnonzero(weights.any(axis=1))
    for first in range(0, len(used), _BLOCK):
        rows = used[first : first + _BLOCK]
        vectors = codebook.matrix(KIND, [stems[number] for number in rows]).float().numpy()
        folded += vectors.T @ weights[rows].astype(np.float32)
    seen = np.empty(weights.shape)
    for first in range(0, len(stems), _BLOCK):
        names = stems[first : first + _BLOCK]
        vectors = codebook.matrix(KIND, names).float().numpy()
        seen[first : first + len(names)] = vectors @ folded / codebook.dimensions
    return seen
