"""A resonator network: factors of a product of bipolar vectors, found together by iteration.

Frady, Kent, Olshausen and Sommer (2020), "Resonator Networks, 1", and Kent et al. (2020), "2": each
factor's estimate is the observation unbound by the other estimates, projected on its codebook, and
its sign taken. It need not converge, so several starts run as one batch, those that are stuck or
too old start anew, and an answer counts when the product of its rows matches the observation. A
small factor locks the network after one step: its rows are tried side by side instead.

All is in whole numbers (coefficients rounded to 8 bits), so a seed gives one result on any machine.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from memory.hologram.exhaustive import compare
from memory.hologram.factor import Factor, Match, chance_level
from memory.hologram.hypervectors import bind
from memory.hologram.scoring import products, quantised

Cleanup = Literal["sign", "ols"]

_RIDGE = 1e-3  # of D, added to the Gram matrix: equal rows must not make it singular


@dataclass(frozen=True)
class NetworkSettings:
    """How long and how widely to search.

    cleanup: "sign" projects by the codebook's transpose, "ols" by its pseudo-inverse, which helps
    where rows are alike. With bipolar estimates the latter is also what alternating least squares
    (ALS) computes: an unbound estimate has all squares 1, which drops out of the normal equations.
    """

    cleanup: Cleanup = "sign"
    sweeps: int = 100  # over all factors, at most
    starts: int = 16  # side by side, which costs little; for each row of an enumerated factor
    age: int = 30  # sweeps, after which a start is given up
    enumerated: int = 16  # rows, up to which the smallest of three or more factors is enumerated
    seed: int = 0


@dataclass(frozen=True)
class NetworkResult:
    """matches: best first, at least one.

    converged: each match is verified, or was where the estimates came to rest.
    """

    matches: list[Match]
    converged: bool
    sweeps: int


def factorise(
    observation: Tensor, factors: Sequence[Factor], k: int, settings: NetworkSettings
) -> NetworkResult:
    """Up to k products that make up (D,), the next one sought in what the former leave over.

    The last match is one that chance would also give, where the search found no better.
    """
    search = _Search(factors, settings)
    level = chance_level(math.prod(len(factor) for factor in factors), len(observation))
    rest, found = observation.float(), list[Match]()
    converged, sweeps = True, 0
    while len(found) < k:
        match, at_rest, took = search.best(rest, level)
        sweeps += took
        if found and match.similarity < level:
            break
        converged = converged and at_rest
        found.append(match)
        if match.similarity < level:
            break
        product = bind(
            *(f.take(torch.tensor([p]))[0] for f, p in zip(factors, match.places, strict=True))
        )
        rest = rest - (rest @ product.float() / len(rest)) * product
        if float(rest.norm()) < level * float(observation.float().norm()):
            break
    places = torch.tensor([match.places for match in found])
    return NetworkResult(compare(observation, factors, places), converged, sweeps)


class _Search:
    """The factors' matrices, and the search for one product."""

    def __init__(self, factors: Sequence[Factor], settings: NetworkSettings) -> None:
        self.factors = factors
        self.settings = settings
        sizes = [len(factor) for factor in factors]
        small = min(range(len(sizes)), key=sizes.__getitem__)
        few = len(sizes) > 2 and sizes[small] <= settings.enumerated
        self.enumerated = small if few else None
        self.books = [_Book(factor.take(), settings.cleanup) for factor in factors]

    def best(self, observation: Tensor, level: float) -> tuple[Match, bool, int]:
        """The best product, whether it is verified or where a search rests, and the sweeps."""
        state = _State(quantised(observation), self.books, self.enumerated, self.settings)
        best, at_rest = Match((), -1.0), False
        for sweep in range(1, self.settings.sweeps + 1):
            places, resting = state.sweep()
            match = compare(observation, self.factors, places)[0]
            if match.similarity > best.similarity:
                best, at_rest = match, False
            if best.similarity >= level:
                return best, True, sweep
            at_rest |= any(tuple(row) == best.places for row in places[resting].tolist())
        return best, at_rest, self.settings.sweeps


class _Book:
    """One factor's rows, int8 (n, D), and the projection on them."""

    def __init__(self, rows: Tensor, cleanup: Cleanup) -> None:
        self.rows = rows
        self._inverse: Tensor | None = None
        if cleanup == "ols":
            gram = products(rows, rows).float()
            gram.diagonal().add_(_RIDGE * rows.shape[1])
            self._inverse = torch.linalg.inv(gram)

    def coefficients(self, unbound: Tensor) -> Tensor:
        """int8 (b, D) to float32 (b, n): how much of each row is in it."""
        found = products(unbound, self.rows).float()
        return found if self._inverse is None else found @ self._inverse

    def project(self, coefficients: Tensor, before: Tensor) -> Tensor:
        """int8 (b, D) of -1 and +1: the signs of the weighted rows; a tie keeps what was before."""
        largest = coefficients.abs().amax(1, keepdim=True)
        weights = coefficients * (127 / largest.clamp_min(torch.finfo(torch.float32).tiny))
        signs = products(weights.round_().to(torch.int8), self.rows.T).sign_().to(torch.int8)
        return torch.where(signs == 0, before, signs)


class _State:
    """The estimates of every factor in all searches that run side by side: int8 (b, D) each."""

    def __init__(
        self,
        observation: Tensor,
        books: Sequence[_Book],
        enumerated: int | None,
        settings: NetworkSettings,
    ) -> None:
        self._books = books
        self._free = [place for place in range(len(books)) if place != enumerated]
        self._settings = settings
        self._random = torch.Generator().manual_seed(settings.seed)
        tried = torch.arange(1 if enumerated is None else len(books[enumerated].rows))
        self._tried = tried.repeat_interleave(settings.starts)
        self._observed = observation.expand(len(self._tried), -1)
        if enumerated is not None:
            self._observed = observation * books[enumerated].rows[self._tried]
        self._estimates = {place: self._noise(len(self._tried)) for place in self._free}
        for place, estimate in self._estimates.items():
            # The first start of each is the usual one: all rows at once.
            everything = books[place].rows.sum(0, dtype=torch.int32).sign_().to(torch.int8)
            first = estimate[:: settings.starts]
            first.copy_(torch.where(everything == 0, first, everything))
        self._ages = torch.zeros(len(self._tried), dtype=torch.int64)

    def sweep(self) -> tuple[Tensor, Tensor]:
        """Update every estimate once: places (b, factors), and which searches came to rest (b,).

        Those, and the old ones, start anew in the next sweep.
        """
        places = self._tried[:, None].repeat(1, len(self._books))
        resting = torch.ones(len(self._tried), dtype=torch.bool)
        for place in self._free:
            others = [self._estimates[other] for other in self._free if other != place]
            coefficients = self._books[place].coefficients(bind(self._observed, *others))
            after = self._books[place].project(coefficients, self._estimates[place])
            resting &= (after == self._estimates[place]).all(1)
            self._estimates[place] = after
            # Two estimates may both be negated, which their product does not show.
            places[:, place] = coefficients.abs().argmax(1)
        self._ages += 1
        over = resting | (self._ages >= self._settings.age)
        for estimate in self._estimates.values():
            estimate[over] = self._noise(int(over.sum()))
        self._ages[over] = 0
        return places, resting

    def _noise(self, count: int) -> Tensor:
        size = (count, self._observed.shape[1])
        return torch.randint(0, 2, size, generator=self._random, dtype=torch.int8).mul_(2).sub_(1)
