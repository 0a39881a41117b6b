"""The Multiply-Add-Permute algebra of bipolar hypervectors.

Gayler (2003), "Vector symbolic architectures answer Jackendoff's challenges"; Kanerva (2009),
"Hyperdimensional computing". Names become random vectors of -1 and +1 (int8); binding multiplies,
bundling adds (float32, so that weights are kept until sign() is taken), permuting rotates. Random
vectors of D dimensions have cosine 0 ± 1/sqrt(D).
"""

import numpy as np
import torch
from torch import Tensor

from memory.errors import HologramError
from memory.hologram.bits import seeded_words, unpack

DIMENSIONS = 10_000


def hypervector(name: str, *, seed: int = 0, dimensions: int = DIMENSIONS) -> Tensor:
    """int8 (D,) of -1 and +1, a hash of seed and name: the same on every machine."""
    row = np.frombuffer(seeded_words(name, seed, dimensions), dtype=np.uint64)
    return unpack(row, dimensions)


def bind(*vectors: Tensor) -> Tensor:
    """The elementwise product; leading axes broadcast. Similar to none of its parts.

    Raises:
        HologramError: nothing to bind, or different numbers of dimensions.
    """
    if not vectors:
        raise HologramError("bind at least one vector")
    bound = vectors[0]
    for vector in vectors[1:]:
        if vector.shape[-1] != bound.shape[-1]:
            raise HologramError(
                f"vectors of {bound.shape[-1]} and {vector.shape[-1]} dimensions can not be bound: "
                "make both with one codebook"
            )
        bound = bound * vector
    return bound


def unbind(vector: Tensor, *keys: Tensor) -> Tensor:
    """Take the keys out of a bound vector: of bipolar keys, binding is its own inverse."""
    return bind(vector, *keys)


def bundle(vectors: Tensor, weights: Tensor | None = None) -> Tensor:
    """(n, D) to float32 (D,): the (weighted) sum, similar to each of its parts.

    weights: (n,).
    """
    if weights is None:
        return vectors.sum(0, dtype=torch.float32)
    if weights.shape != vectors.shape[:1]:
        raise HologramError(f"{len(vectors)} vectors need as many weights, not {len(weights)}")
    return weights.float() @ vectors.float()


def sign(vector: Tensor, *, seed: int = 0) -> Tensor:
    """(…, D) to int8 of -1 and +1; where it is 0, a seeded vector decides, not always +1."""
    ties = hypervector("ties of sign", seed=seed, dimensions=vector.shape[-1])
    signs = torch.sign(vector).to(torch.int8)
    return torch.where(signs == 0, ties, signs)


def permute(vector: Tensor, shifts: int = 1) -> Tensor:
    """Rotate the dimensions to the right; undone by -shifts, similar to nothing it was."""
    return torch.roll(vector, shifts, -1)


def similarity(a: Tensor, b: Tensor) -> Tensor:
    """Cosine along the last axis, float32; leading axes broadcast. Zero vectors give 0."""
    left, right = a.float(), b.float()
    norms = left.norm(dim=-1) * right.norm(dim=-1)
    dot = left @ right if right.dim() == 1 else (left * right).sum(-1)
    return torch.where(norms > 0, dot / norms.clamp_min(torch.finfo(torch.float32).tiny), 0.0)
