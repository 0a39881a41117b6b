"""Similarities of packed rows with many vectors: popcounts, and exact 8-bit matrix products."""

import platform
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memory.errors import HologramError
from memory.hologram.bits import Words, check_width, pack, raw_bits, unpack

_LARGEST = 127  # of int8
_BATCHED = 8  # queries from which a matrix product is faster (scripts/bench_hdc.py)
_XOR_ROWS = 1024  # few enough for the cache, enough that a call does not count
_DOT_ROWS = 512
_WORDS_PER_THREAD = 4_000_000  # below this, starting a thread costs more than it saves
_TINY = torch.finfo(torch.float32).tiny

# oneDNN's 8-bit product is exact and, with VNNI, 30 times faster than float32. Elsewhere PyTorch
# falls back to a plain loop, slower than float32.
_X86 = platform.machine() in {"x86_64", "AMD64"}
_INTEGER_PRODUCTS = _X86 and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


def cosines(rows: Words, queries: Words | Tensor, dimensions: int) -> Tensor:
    """Cosine of each packed row (n, words) with each query: float32 (q, n).

    queries: packed (q, words), or (q, D) of any numbers, whose weights count; zeros give 0.

    Raises:
        HologramError: a query of other dimensions.
    """
    if isinstance(queries, Tensor):
        if queries.shape[1] != dimensions:
            raise HologramError(
                f"a vector of {queries.shape[1]} dimensions can not be compared with {dimensions}: "
                "make both with one codebook"
            )
        few = len(queries) < _BATCHED and bool((queries.abs() == 1).all())
        packed = pack(queries) if few else None
    else:
        check_width(queries, dimensions)
        packed = queries if len(queries) < _BATCHED else None
    if packed is not None:
        apart = [distances(rows, query) for query in packed]
        shares = torch.from_numpy(np.stack(apart)) if apart else torch.empty(0, len(rows))
        return 1 - shares.float() * (2 / dimensions)
    vectors = queries if isinstance(queries, Tensor) else unpack(queries, dimensions)
    norms = vectors.float().norm(dim=1, keepdim=True) * dimensions**0.5
    return dots(rows, vectors).div_(norms.clamp_min_(_TINY))


def distances(rows: Words, query: Words) -> NDArray[np.int32]:
    """Hamming distance of each of (n, words) to (words,), by XOR and popcount: int32 (n,)."""
    found = np.empty(len(rows), dtype=np.int32)
    parts = min(torch.get_num_threads(), rows.size // _WORDS_PER_THREAD)
    if parts < 2:
        _count(rows, query, found)
        return found
    edges = np.linspace(0, len(rows), parts + 1).astype(int).tolist()
    with ThreadPoolExecutor(parts) as pool:  # NumPy lets go of the interpreter's lock here
        for done in [
            pool.submit(_count, rows[start:stop], query, found[start:stop])
            for start, stop in pairwise(edges)
        ]:
            done.result()
    return found


def dots(rows: Words, queries: Tensor) -> Tensor:
    """Dot products of packed rows (n, words) with any vectors (q, D): float32 (q, n).

    Exact where the queries hold whole numbers up to 127, as bundles of bipolar vectors do; else
    two 8-bit digits of each number are taken, and a cosine is off by about a millionth.
    """
    dimensions = queries.shape[1]
    check_width(rows, dimensions)
    whole = as_int8(queries)
    if whole is None:
        values = queries.float()
        scale = values.abs().amax(1, keepdim=True).clamp_min_(_TINY) / _LARGEST
        coarse = (values / scale).round_()
        fine = ((values / scale - coarse) * (2 * _LARGEST)).round_()
        digits = dots(rows, torch.cat((coarse, fine)).to(torch.int8))
        return (digits[: len(queries)] + digits[len(queries) :] / (2 * _LARGEST)).mul_(scale)
    sums = whole.sum(1, dtype=torch.int32)
    found = torch.empty(len(queries), len(rows))
    for start in range(0, len(rows), _DOT_ROWS):
        bits = torch.from_numpy(raw_bits(rows[start : start + _DOT_ROWS], dimensions))
        found[:, start : start + _DOT_ROWS] = products(whole, bits)
    return found.mul_(2).sub_(sums[:, None])  # of bits b and query x: x·(2b - 1)


def products(left: Tensor, right: Tensor) -> Tensor:
    """Exact dot products of int8 (n, D) with int8 (m, D), of which one holds only -1, 0 and 1.

    int32 (n, m). Without VNNI, pairs of products are added in 16 bits: two numbers near 127 would
    be too much (pytorch/pytorch issue 136746).
    """
    if 0 in (*left.shape, *right.shape):
        return torch.zeros(len(left), len(right), dtype=torch.int32)
    if _INTEGER_PRODUCTS and left.shape[1] > 1:
        # The strides of an axis of length 1 must not mislead oneDNN (pytorch issue 195066).
        plain = left.reshape(-1).view(left.shape)
        # The only 8-bit product that PyTorch has, though it is named as private.
        return torch._int_mm(plain, right.T)
    return (left.float() @ right.float().T).round_().int()


def as_int8(vectors: Tensor) -> Tensor | None:
    """The same numbers as int8, or None where they are not all whole and at most 127."""
    if vectors.dtype == torch.int8:
        return None if bool((vectors < -_LARGEST).any()) else vectors
    whole = vectors.to(torch.int8) if bool((vectors.abs() <= _LARGEST).all()) else None
    return whole if whole is not None and torch.equal(whole.to(vectors.dtype), vectors) else None


def quantised(vectors: Tensor) -> Tensor:
    """int8 with the same directions (…, D): exact for whole numbers up to 127.

    Others are scaled, each vector by itself, so that five times its root mean square (or its
    largest number, if smaller) becomes 127; what is beyond is cut off.
    """
    whole = as_int8(vectors)
    if whole is not None:
        return whole
    values = vectors.float()
    values = values / values.abs().amax(-1, keepdim=True).clamp_min_(_TINY)
    top = (5 * values.square().mean(-1, keepdim=True).sqrt_()).clamp_(_TINY, 1)
    return (values * (_LARGEST / top)).round_().clamp_(-_LARGEST, _LARGEST).to(torch.int8)


def _count(rows: Words, query: Words, found: NDArray[np.int32]) -> None:
    block = min(len(rows), _XOR_ROWS)
    differing = np.empty((block, rows.shape[1]), dtype=np.uint64)
    counts = np.empty(differing.shape, dtype=np.uint8)
    for start in range(0, len(rows), _XOR_ROWS):
        part = rows[start : start + _XOR_ROWS]
        size = len(part)
        np.bitwise_xor(part, query, out=differing[:size])
        np.bitwise_count(differing[:size], out=counts[:size])
        counts[:size].sum(axis=1, dtype=np.int32, out=found[start : start + size])
