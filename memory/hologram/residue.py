"""Numbers of a large range as products of residues, for statement indices and the like.

Kymn, Kleyko, Frady et al. (2023), "Computing with residue numbers in high-dimensional
representation": a number is told by its remainders under co-prime moduli (Chinese remainder
theorem), each a codebook of as few rows as the modulus, so the rows needed grow with the logarithm
of the range. There, the vectors are phasors, whose binding adds the numbers; here they are bipolar,
so that they can be bound with names and searched as bits, and numbers are added before encoding.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from memory.errors import HologramError
from memory.hologram.codebook import Codebook
from memory.hologram.factor import Factor
from memory.hologram.hypervectors import bind
from memory.hologram.network import NetworkSettings
from memory.hologram.product_search import nearest_products

MODULI = (31, 37, 41)  # 47,027 numbers with 109 rows


@dataclass(frozen=True)
class DecodedNumber:
    """similarity: of the number's vector with the one given; verified: chance would not give it."""

    number: int
    similarity: float
    verified: bool


class ResidueCode:
    """Whole numbers from 0 to the product of the moduli, less one, as bipolar vectors."""

    def __init__(
        self, codebook: Codebook, moduli: Sequence[int] = MODULI, *, kind: str = "NUMBER"
    ) -> None:
        """kind: numbers of different kinds (lines, indices) have unrelated vectors.

        Raises:
            HologramError: moduli below 2, or two with a common divisor.
        """
        if not moduli or min(moduli) < 2 or math.lcm(*moduli) != math.prod(moduli):
            raise HologramError(
                f"{tuple(moduli)} are not co-prime moduli of 2 or more: take different primes"
            )
        self.moduli = tuple(moduli)
        self.range = math.prod(moduli)
        self._codebook = codebook
        self._kinds = [f"{kind} mod {modulus}" for modulus in moduli]

    def encode(self, number: int) -> Tensor:
        """int8 (D,).

        Raises:
            HologramError: the number is out of range.
        """
        if not 0 <= number < self.range:
            raise HologramError(
                f"{number} is not in 0 … {self.range - 1}: use more or larger moduli"
            )
        residues = zip(self._kinds, self.moduli, strict=True)
        return bind(*(self._codebook.vector(kind, str(number % m)) for kind, m in residues))

    def factors(self) -> list[Factor]:
        """The codebook of each modulus' residues, in order."""
        return [
            Factor(self._codebook.packed(kind, [*map(str, range(m))]), self._codebook.dimensions)
            for kind, m in zip(self._kinds, self.moduli, strict=True)
        ]

    def number(self, residues: Sequence[int]) -> int:
        """The one number of the range with these residues."""
        parts = (
            residue * (self.range // m) * pow(self.range // m, -1, m)
            for residue, m in zip(residues, self.moduli, strict=True)
        )
        return sum(parts) % self.range

    def decode(self, vector: Tensor, network: NetworkSettings | None = None) -> DecodedNumber:
        """The number nearest to (D,), by comparing all or, of a very large range, by a network."""
        found = nearest_products(vector, self.factors(), network=network or NetworkSettings())
        best = found.matches[0]
        return DecodedNumber(
            self.number(best.places), best.similarity, best.similarity >= found.chance
        )
