"""Which factors' product is an observation: all are compared, or a network searches if too many."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from memory.hologram.exhaustive import MULTIPLICATIONS, best_products, widths
from memory.hologram.factor import Factor, Match, chance_level
from memory.hologram.network import NetworkSettings, factorise


@dataclass(frozen=True)
class ProductsFound:
    """matches: best first. chance: the cosine from which a match is more than chance."""

    matches: list[Match]
    chance: float
    converged: bool
    method: str
    sweeps: int


def nearest_products(
    observation: Tensor,
    factors: Sequence[Factor],
    k: int = 1,
    *,
    multiplications: float = MULTIPLICATIONS,
    network: NetworkSettings,
) -> ProductsFound:
    """Up to k products of a row of each factor that are nearest to (D,).

    multiplications: up to which all products are compared.
    """
    sizes = [len(factor) for factor in factors]
    chance = chance_level(math.prod(sizes), len(observation))
    if widths(sizes, len(observation), multiplications):
        matches = best_products(observation, factors, k, multiplications)
        return ProductsFound(matches, chance, True, "exhaustive", 0)
    result = factorise(observation, factors, k, network)
    return ProductsFound(result.matches, chance, result.converged, "network", result.sweeps)
