"""Roles and fillers out of one vector: three factors by default, ACTION, TARGET and MODIFIER.

A bundle (the sum of role ⊙ filler) needs no iteration: it is unbound by each role and cleaned up. A
product of fillers shows nothing of any one of them: all products are compared with it where there
are not too many, else a resonator network looks for it. An answer is verified when chance would
give one as good in less than a millionth of cases.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from memory.errors import HologramError
from memory.hologram.codebook import Codebook
from memory.hologram.exhaustive import MULTIPLICATIONS
from memory.hologram.factor import Factor, chance_level
from memory.hologram.hypervectors import bind, bundle, permute, similarity, unbind
from memory.hologram.network import NetworkSettings
from memory.hologram.product_search import nearest_products

ROLES = ("ACTION", "TARGET", "MODIFIER")
ROLE_KIND = "ROLE"

Form = Literal["auto", "bundle", "product"]
_Chosen = list[tuple[float, str]]  # cosine and name, by role


@dataclass(frozen=True)
class Factorization:
    """What was found in an observation.

    factors, confidences: by role, in the roles' order. A confidence is the cosine of the filler
    with the observation unbound by all else: 0.577 in a clean bundle of three, 1 in a product.
    converged: the way came to an end (exact ways always do). verified: every factor of a bundle,
    or the product, is told from chance. method: "unbind", "exhaustive" or "network". similarity:
    cosine of the found fillers, encoded again, with the observation.
    """

    factors: dict[str, str]
    confidences: dict[str, float]
    min_confidence: float
    converged: bool
    verified: bool
    method: str
    iterations: int
    similarity: float = 0.0

    @property
    def action(self) -> str:
        """The filler of the first role."""
        return next(iter(self.factors.values()))

    @property
    def target(self) -> str:
        """The filler of the second role."""
        return [*self.factors.values()][1]

    @property
    def modifier(self) -> str:
        """The filler of the third role."""
        return [*self.factors.values()][2]


class TransformationResonator:
    """Encodes fillers of roles into one vector and finds them again.

    A filler's vector is the codebook's of kind = role. Everything compared must come from one
    codebook, or from one of the same seed.
    """

    def __init__(
        self,
        codebook: Codebook,
        roles: tuple[str, str, str] = ROLES,
        *,
        network: NetworkSettings | None = None,
        multiplications: float = MULTIPLICATIONS,
    ) -> None:
        """multiplications: for which all products are compared; beyond, the network searches."""
        if len(set(roles)) != len(roles):
            raise HologramError(f"roles must differ: {', '.join(roles)}")
        self.codebook = codebook
        self.roles = roles
        self._network = network or NetworkSettings()
        self._multiplications = multiplications

    def role(self, name: str) -> Tensor:
        """int8 (D,): the vector of a role."""
        self._known([name])
        return self.codebook.vector(ROLE_KIND, name)

    def encode_bundle(self, fillers: Mapping[str, str]) -> Tensor:
        """float32 (D,): the sum of role ⊙ filler, of one role or more."""
        self._known(fillers)
        if not fillers:
            raise HologramError("a bundle needs the filler of at least one role")
        bound = [
            bind(self.role(role), self.codebook.vector(role, fillers[role])) for role in fillers
        ]
        return bundle(torch.stack(bound))

    def encode_product(self, fillers: Mapping[str, str]) -> Tensor:
        """int8 (D,): the product of all roles' fillers, the i-th rotated by i places."""
        self._complete(fillers)
        return bind(
            *(
                permute(self.codebook.vector(role, fillers[role]), i)
                for i, role in enumerate(self.roles)
            )
        )

    def resonate(
        self, observation: Tensor, vocabularies: Mapping[str, Sequence[str]], *, form: Form = "auto"
    ) -> Factorization:
        """The best factors of (D,) among each role's vocabulary.

        form: "auto" takes a vector for a bundle as soon as one filler stands out when it is
        unbound, else for a product.

        Raises:
            HologramError: a vector of other dimensions, all zero or not finite; a role without
                vocabulary.
        """
        return self.resonate_topk(observation, vocabularies, 1, form=form)[0]

    def resonate_topk(
        self,
        observation: Tensor,
        vocabularies: Mapping[str, Sequence[str]],
        k: int,
        *,
        form: Form = "auto",
    ) -> list[Factorization]:
        """Up to k different factorizations, best first.

        Of a bundle: the fillers whose cosines sum highest. Of a product, or of a weighted bundle
        of products: the products nearest to it; the network gives those that it can tell from
        chance, and one at least.
        """
        self._check(observation, k)
        names = self._vocabularies(vocabularies)
        if form != "product":
            found, any_stands_out = self._unbind(observation, names, k)
            if any_stands_out or form == "bundle":
                return found
        return self._factorise(observation, names, k)

    def _unbind(
        self, observation: Tensor, names: Mapping[str, list[str]], k: int
    ) -> tuple[list[Factorization], bool]:
        ranked = [
            [
                (cosine, name)
                for name, cosine in self.codebook.cleanup(
                    unbind(observation, self.role(role)), role, vocabulary, k
                )
            ]
            for role, vocabulary in names.items()
        ]
        levels = [
            chance_level(len(vocabulary), self.codebook.dimensions) for vocabulary in names.values()
        ]
        stands_out = any(row[0][0] >= level for row, level in zip(ranked, levels, strict=True))
        return [
            self._bundle_found(observation, chosen, levels) for chosen in _best_sums(ranked, k)
        ], stands_out

    def _bundle_found(
        self, observation: Tensor, chosen: _Chosen, levels: Sequence[float]
    ) -> Factorization:
        by_role = dict(zip(self.roles, chosen, strict=True))
        factors = {role: name for role, (_, name) in by_role.items()}
        confidences = {role: cosine for role, (cosine, _) in by_role.items()}
        return Factorization(
            factors=factors,
            confidences=confidences,
            min_confidence=min(confidences.values()),
            converged=True,
            verified=all(c >= level for (c, _), level in zip(chosen, levels, strict=True)),
            method="unbind",
            iterations=0,
            similarity=float(similarity(self.encode_bundle(factors), observation)),
        )

    def _factorise(
        self, observation: Tensor, names: Mapping[str, list[str]], k: int
    ) -> list[Factorization]:
        factors = [
            Factor(self.codebook.packed(role, names[role]), self.codebook.dimensions, shift)
            for shift, role in enumerate(self.roles)
        ]
        found = nearest_products(
            observation, factors, k, multiplications=self._multiplications, network=self._network
        )
        return [
            Factorization(
                factors={
                    role: names[role][place]
                    for role, place in zip(self.roles, match.places, strict=True)
                },
                # Unbound by the other fillers, each has the cosine of the whole product.
                confidences=dict.fromkeys(self.roles, match.similarity),
                min_confidence=match.similarity,
                converged=found.converged,
                verified=match.similarity >= found.chance,
                method=found.method,
                iterations=found.sweeps,
                similarity=match.similarity,
            )
            for match in found.matches
        ]

    def _check(self, observation: Tensor, k: int) -> None:
        if k < 1:
            raise HologramError(f"ask for at least one factorization, not {k}")
        if observation.shape != (self.codebook.dimensions,):
            raise HologramError(
                f"an observation of shape {tuple(observation.shape)} has no factors in "
                f"{self.codebook.dimensions} dimensions: encode it with this codebook"
            )
        values = observation.float()
        if not bool(values.isfinite().all()) or not bool(values.any()):
            raise HologramError("the observation is all zero or not finite: encode it anew")

    def _vocabularies(self, given: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """Each role's names once, in the roles' order."""
        self._complete(given)
        empty = [role for role in self.roles if not given[role]]
        if empty:
            raise HologramError(f"no names to choose among for {', '.join(empty)}")
        return {role: list(dict.fromkeys(given[role])) for role in self.roles}

    def _complete(self, given: Mapping[str, object]) -> None:
        self._known(given)
        missing = [role for role in self.roles if role not in given]
        if missing:
            raise HologramError(f"nothing was given for {', '.join(missing)}: name every role")

    def _known(self, names: Iterable[str]) -> None:
        unknown = [name for name in names if name not in self.roles]
        if unknown:
            raise HologramError(
                f"no such role: {', '.join(unknown)}; there are {', '.join(self.roles)}"
            )


def _best_sums(ranked: Sequence[Sequence[tuple[float, str]]], k: int) -> list[_Chosen]:
    """The k choices of one from each list, sorted best first, whose cosines sum highest."""

    def total(places: tuple[int, ...]) -> float:
        return -sum(row[place][0] for row, place in zip(ranked, places, strict=True))

    start = (0,) * len(ranked)
    heap, seen = [(total(start), start)], {start}
    best: list[_Chosen] = []
    while heap and len(best) < k:
        _, places = heapq.heappop(heap)
        best.append([row[place] for row, place in zip(ranked, places, strict=True)])
        for i, place in enumerate(places):
            after = (*places[:i], place + 1, *places[i + 1 :])
            if place + 1 < len(ranked[i]) and after not in seen:
                seen.add(after)
                heapq.heappush(heap, (total(after), after))
    return best
