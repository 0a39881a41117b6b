"""ResonantGenerator: a sequence token by token, each one verified against a bundle that expects it.

Source: the seed's ``ResonantGenerator`` ("token-by-token with verification"; code trainer §3.1). It
compared a token with a whole factorisation at a fixed threshold, and took the likeliest one where
none passed. Here a token is compared with what the bundle expects at its very position, the
threshold is measured, and what is rejected is given up: the search backtracks, and may end with
nothing. Backtracking into what a beam left out: Zhou and Hansen 2005, "Beam-Stack Search".
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from math import floor

import torch
from torch import Tensor

from memory.errors import HologramError
from memory.hologram.codebook import Codebook
from memory.hologram.hypervectors import permute

KIND = "token"  # of the codebook's vectors
END = "<END>"

Propose = Callable[[tuple[str, ...]], Sequence[tuple[str, float]]]
"""The next tokens that are possible after a prefix, with their log probabilities."""


@dataclass(frozen=True)
class Generation:
    """A sequence that passed, without its end token, and how well.

    ``score`` is what it was chosen by; ``supports`` are the similarities of its tokens, the end
    token's last; ``backtracks`` counts how often the search returned to what it had put aside.
    """

    tokens: tuple[str, ...]
    score: float
    log_probability: float
    supports: tuple[float, ...]
    backtracks: int

    @property
    def least_support(self) -> float:
        """The similarity of the token that was expected least."""
        return min(self.supports)


@dataclass(frozen=True)
class _Open:
    """A prefix under way."""

    tokens: tuple[str, ...] = ()
    supports: tuple[float, ...] = ()
    score: float = 0.0
    log_probability: float = 0.0


class ResonantGenerator:
    """Searches for the likeliest sequence of which every token was expected where it stands.

    Args:
        codebook: gives the tokens' vectors.
        threshold: a token whose similarity is below it is rejected; see ``calibrate_threshold``.
        weight: what a full similarity counts against a log probability.
        beam: how many prefixes are extended at each length.
        max_backtracks: how often the search may return to prefixes that it had put aside.
        end: the token that ends a sequence; it is expected at its position like any other.
    """

    def __init__(
        self,
        codebook: Codebook,
        *,
        threshold: float = 0.5,
        weight: float = 2.0,
        beam: int = 8,
        max_backtracks: int = 64,
        end: str = END,
    ) -> None:
        self.codebook = codebook
        self.threshold = threshold
        self.end = end
        self.weight = weight
        self._beam, self._max_backtracks = beam, max_backtracks

    def expect(self, tokens: Sequence[str]) -> Tensor:
        """The bundle that expects these tokens and then the end: float32 (D,), unscaled."""
        bundle = torch.zeros(self.codebook.dimensions)
        for position, token in enumerate((*tokens, self.end)):
            bundle += permute(self.codebook.vector(KIND, token), position)
        return bundle

    def support(self, expected: Tensor, position: int, tokens: Sequence[str]) -> list[float]:
        """How much the bundle expects each of these tokens at a position.

        The projection on the token, permuted to its position: about 1 for a member of an unscaled
        bundle and 0 for any other token, whatever the length; for a bipolar vector the cosine.
        """
        if not tokens:
            return []
        there = permute(expected, -position)
        matrix = self.codebook.matrix(KIND, tokens).to(torch.float32)
        similarities: list[float] = (matrix @ there / self.codebook.dimensions).tolist()
        return similarities

    def supports(self, expected: Tensor, tokens: Sequence[str]) -> list[float]:
        """How much the bundle expects each token of a sequence where it stands, and then the end.

        Over true sequences this is what ``calibrate_threshold`` takes.
        """
        whole = (*tokens, self.end)
        return [self.support(expected, at, [token])[0] for at, token in enumerate(whole)]

    def generate(
        self, propose: Propose, expected: Tensor, *, max_tokens: int = 256, results: int = 1
    ) -> list[Generation]:
        """The best sequences, best first; none where no sequence of expected tokens was found.

        Args:
            propose: the next tokens after a prefix; none ends the prefix without a result.
            expected: float (D,) bundle of position-permuted token vectors.
            max_tokens: the longest sequence, without its end token.
            results: how many are wanted.
        """
        search = _Search(self, propose, expected, max_tokens, results)
        beam, backtracks = [_Open()], 0
        while True:
            while beam:
                beam = search.extend(beam, self._beam)
            prefix = search.back()
            if prefix is None or backtracks == self._max_backtracks:
                return search.best(backtracks)
            beam, backtracks = [prefix], backtracks + 1


_Entry = tuple[float, int, _Open]


class _Search:
    """One search: what is finished, and for each length what the beam left out."""

    def __init__(
        self,
        generator: ResonantGenerator,
        propose: Propose,
        expected: Tensor,
        max_tokens: int,
        results: int,
    ) -> None:
        self._generator, self._propose, self._expected = generator, propose, expected
        self._max_tokens, self._results = max_tokens, results
        self._order = count()  # among equal scores the first found is first
        self._finished: list[_Entry] = []
        self._aside: dict[int, list[_Entry]] = {}

    def extend(self, beam: Sequence[_Open], width: int) -> list[_Open]:
        """The best ``width`` of the beam's extensions by one token; the others are put aside.

        The prefixes of a beam are of one length.
        """
        length = len(beam[0].tokens)
        found: list[_Entry] = []
        for prefix in beam:
            for longer in self._verified(prefix):
                entry = (-longer.score, next(self._order), longer)
                if longer.tokens[-1] == self._generator.end:
                    heapq.heappush(self._finished, entry)
                elif length < self._max_tokens:
                    found.append(entry)
        found.sort()
        aside = self._aside.setdefault(length + 1, [])
        for entry in found[width:]:
            heapq.heappush(aside, entry)
        return [prefix for _, _, prefix in found[:width] if self._can_win(prefix)]

    def back(self) -> _Open | None:
        """Of the longest prefixes that were put aside the best one, if it can still win."""
        for length in sorted(self._aside, reverse=True):
            while self._aside[length]:
                prefix = heapq.heappop(self._aside[length])[2]
                if self._can_win(prefix):
                    return prefix
        return None

    def best(self, backtracks: int) -> list[Generation]:
        """The finished sequences, as many as are wanted."""
        return [
            Generation(
                prefix.tokens[:-1],
                prefix.score,
                prefix.log_probability,
                prefix.supports,
                backtracks,
            )
            for _, _, prefix in heapq.nsmallest(self._results, self._finished)
        ]

    def _verified(self, prefix: _Open) -> Iterator[_Open]:
        """The prefix with each proposed token that is expected there."""
        generator = self._generator
        proposed = self._propose(prefix.tokens)
        tokens = [token for token, _ in proposed]
        similarities = generator.support(self._expected, len(prefix.tokens), tokens)
        for (token, log_probability), similarity in zip(proposed, similarities, strict=True):
            if similarity >= generator.threshold:
                # At most 0 is added, so that longer is never better by itself.
                missing = generator.weight * (min(similarity, 1.0) - 1.0)
                yield _Open(
                    (*prefix.tokens, token),
                    (*prefix.supports, similarity),
                    prefix.score + log_probability + missing,
                    prefix.log_probability + log_probability,
                )

    def _can_win(self, prefix: _Open) -> bool:
        """False where as many finished ones as are wanted are better: scores only ever fall."""
        if len(self._finished) < self._results:
            return True
        worst = heapq.nsmallest(self._results, self._finished)[-1]
        return prefix.score > -worst[0]


def calibrate_threshold(supports: Sequence[Sequence[float]], false_reject: float = 0.05) -> float:
    """A threshold by which about this share of true sequences is rejected, and not more.

    A sequence is rejected with its least expected token, so that long ones need a lower threshold
    than tokens taken one by one would suggest. The share holds for new sequences too, on average,
    where they are like these (split conformal prediction; Vovk et al. 2005) and at least
    1 / ``false_reject`` - 1 of them.

    Args:
        supports: for each true sequence the similarities of its tokens (``supports``).
        false_reject: from 0 to 1.

    Raises:
        HologramError: there are no sequences, or the share is not between 0 and 1.
    """
    least = sorted(min(sequence) for sequence in supports if sequence)
    if not least or not 0 <= false_reject <= 1:
        raise HologramError(
            f"wants true sequences and a share in [0, 1]; got {len(least)} and {false_reject:g}"
        )
    place = max(1, floor(false_reject * (len(least) + 1)))
    return least[min(place, len(least)) - 1]
