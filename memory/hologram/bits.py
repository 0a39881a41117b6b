"""Bipolar vectors as bits: packing, unpacking, and seeded rows.

One bit a dimension, 1 = +1 and 0 = -1, little-endian in 64-bit words; the bits past the last
dimension are 0. A vector of 10,000 dimensions takes 1,256 bytes.
"""

import hashlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memory.errors import HologramError

WORD = 64  # bits
Words = NDArray[np.uint64]


def words(dimensions: int) -> int:
    """How many 64-bit words hold a vector."""
    return -(-dimensions // WORD)


def seeded_words(key: str, seed: int, dimensions: int) -> bytes:
    """The bits of the random vector of this key and seed, the same on every machine.

    SHAKE-256 (FIPS 202) is the hash whose output is as long as asked; of one key, a shorter vector
    is the beginning of a longer one.
    """
    count = words(dimensions) * (WORD // 8)
    digest = hashlib.shake_256(f"{seed}:{key}".encode("utf-8", "surrogatepass")).digest(count)
    spare = count * 8 - dimensions
    if not spare:
        return digest
    kept = int.from_bytes(digest[-8:], "little") & ((1 << (WORD - spare)) - 1)
    return digest[:-8] + kept.to_bytes(8, "little")


def pack(vectors: Tensor | NDArray[Any]) -> Words:
    """(…, D) of -1 and +1 to (…, ceil(D / 64)) words.

    Raises:
        HologramError: another value is among them.
    """
    values = vectors.numpy(force=True) if isinstance(vectors, Tensor) else np.asarray(vectors)
    if values.ndim == 0 or not np.all(np.abs(values) == 1):
        raise HologramError("only -1 and +1 can be packed: take sign() of a bundle first")
    dimensions = values.shape[-1]
    packed = np.zeros((*values.shape[:-1], words(dimensions) * (WORD // 8)), dtype=np.uint8)
    bits = np.packbits(values > 0, axis=-1, bitorder="little")
    packed[..., : bits.shape[-1]] = bits
    return packed.view(np.uint64)


def unpack(packed: Words, dimensions: int) -> Tensor:
    """(…, words) to int8 (…, D) of -1 and +1."""
    check_width(packed, dimensions)
    values = raw_bits(packed, dimensions)
    values += values
    values -= 1
    return torch.from_numpy(values)


def raw_bits(packed: Words, dimensions: int) -> NDArray[np.int8]:
    """(…, words) to int8 (…, D) of 0 and 1."""
    data = np.ascontiguousarray(packed).view(np.uint8)
    return np.unpackbits(data, axis=-1, count=dimensions, bitorder="little").view(np.int8)


def check_width(packed: Words, dimensions: int) -> None:
    """Raise HologramError where the rows are of another number of dimensions."""
    if packed.shape[-1] != words(dimensions):
        raise HologramError(
            f"{packed.shape[-1]} words do not hold {dimensions} dimensions: "
            "use one number of dimensions throughout"
        )
