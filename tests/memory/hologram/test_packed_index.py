"""Packing loses nothing, and the index finds what a plain cosine finds."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.errors import HologramError
from memory.hologram.bits import words
from memory.hologram.hypervectors import bundle, sign, similarity
from memory.hologram.packed import PackedIndex, pack, unpack
from memory.hologram.scoring import cosines, distances, dots, products, quantised

sizes = st.integers(1, 200)
seeds = st.integers(0, 2**32 - 1)


def bipolar(count: int, size: int, seed: int = 0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, (count, size), generator=random, dtype=torch.int8) * 2 - 1


def index_of(vectors: torch.Tensor) -> PackedIndex[int]:
    index: PackedIndex[int] = PackedIndex(vectors.shape[1])
    index.add(vectors, range(len(vectors)))
    return index


@given(st.integers(0, 5), sizes, seeds)
def test_packing_and_unpacking_give_the_same(count, size, seed):
    vectors = bipolar(count, size, seed)
    packed = pack(vectors)
    assert packed.shape == (count, words(size)) and packed.dtype == np.uint64
    assert torch.equal(unpack(packed, size), vectors)
    assert np.array_equal(pack(vectors.numpy()), packed)


def test_any_leading_axes_are_packed():
    vectors = bipolar(6, 70).reshape(2, 3, 70)
    assert pack(vectors).shape == (2, 3, 2)
    assert torch.equal(unpack(pack(vectors), 70), vectors)
    assert torch.equal(unpack(pack(vectors[0, 0]), 70), vectors[0, 0])


def test_a_bundle_is_not_packed_by_accident():
    with pytest.raises(HologramError, match="sign"):
        pack(bundle(bipolar(2, 30)))


@settings(deadline=None)
@given(st.integers(0, 20), st.integers(1, 4), sizes, seeds)
def test_distances_and_dots_are_those_of_the_unpacked(count, asked, size, seed):
    rows, queries = bipolar(count, size, seed), bipolar(asked, size, seed + 1)
    expected = queries.float() @ rows.float().T
    found = torch.from_numpy(np.stack([distances(pack(rows), pack(q)) for q in queries]))
    assert torch.equal(size - 2 * found.float(), expected)
    assert torch.equal(dots(pack(rows), queries), expected)
    assert torch.equal(dots(pack(rows), queries * 40), expected * 40)
    weights = torch.randn(asked, size, generator=torch.Generator().manual_seed(seed))
    assert torch.allclose(dots(pack(rows), weights), weights @ rows.float().T, atol=5e-3)
    assert torch.equal(products(queries, rows), expected.int())


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 40), seeds)
def test_integer_products_are_exact_for_every_layout(n, m, size, seed):
    random = torch.Generator().manual_seed(seed)
    left = torch.randint(-127, 128, (n, size + 3), generator=random, dtype=torch.int8)[:, 2:-1]
    right = bipolar(m, size + 3, seed)[:, 1:-2]
    expected = (left.double() @ right.double().T).int()
    assert torch.equal(products(left, right), expected)
    assert torch.equal(products(right, left), expected.T)
    assert torch.equal(products(left.T.contiguous().T, right.contiguous()), expected)
    assert torch.equal(products(left.contiguous(), right.T.contiguous().T), expected)
    same = left[:1].expand(n, -1)
    assert torch.equal(products(same, right), expected[:1].expand(n, -1))


def test_a_large_search_runs_in_threads_and_gives_the_same():
    rows = np.random.default_rng(0).integers(0, 2**63, (70_000, 157), dtype=np.uint64)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        threaded = distances(rows, rows[5])
    finally:
        torch.set_num_threads(before)
    expected = np.bitwise_count(rows[::7000] ^ rows[5]).sum(axis=1, dtype=np.int32)
    assert np.array_equal(threaded[::7000], expected)


@settings(deadline=None)
@given(sizes, seeds)
def test_quantised_vectors_point_the_same_way(size, seed):
    random = torch.Generator().manual_seed(seed)
    vectors = torch.randn(3, size, generator=random) * torch.tensor([[1e-30], [1.0], [1e30]])
    small = quantised(vectors)
    assert small.dtype == torch.int8
    scaled = vectors / vectors.abs().amax(1, keepdim=True)
    assert float(similarity(small, scaled).min()) > 0.99
    assert torch.equal(quantised(small.float()), small)
    assert torch.equal(quantised(torch.zeros(2, size)), torch.zeros(2, size, dtype=torch.int8))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.sampled_from([1, 3, 9]), st.integers(1, 50), seeds)
def test_search_is_the_sorted_cosine(count, asked, k, seed):
    vectors, queries = bipolar(count, 130, seed), bipolar(asked, 130, seed + 1)
    index = index_of(vectors)
    for query, found in zip(queries, index.search_many(queries, k), strict=True):
        expected = similarity(vectors, query)
        order = sorted(range(count), key=lambda row: (-float(expected[row]), row))[:k]
        assert [id for id, _ in found] == order
        assert [cosine for _, cosine in found] == pytest.approx(expected[order].tolist(), abs=1e-6)
        assert index.search(query, k) == [(id, pytest.approx(c, abs=1e-6)) for id, c in found]
        packed = index.search(pack(query), k)
        assert [id for id, _ in packed] == order


def test_packed_queries_in_bulk_are_searched_too():
    vectors = bipolar(50, 130)
    found = index_of(vectors).search_many(pack(vectors), 1)
    assert found == [[(row, 1.0)] for row in range(50)]


def test_weights_of_a_query_count():
    vectors = bipolar(40, 1000)
    query = bundle(vectors[:3], torch.tensor([1.0, 2.0, 4.0]))
    assert [id for id, _ in index_of(vectors).search(query, 3)] == [2, 1, 0]
    assert float(cosines(pack(vectors), query[None], 1000)[0, 2]) == pytest.approx(
        float(similarity(vectors[2], query)), abs=1e-6
    )


def test_a_noisy_pattern_is_found_among_many():
    vectors = bipolar(2000, 2000)
    noisy = sign(vectors[77].float() + 2 * bipolar(1, 2000, 9)[0].float(), seed=1)
    [(id, cosine)] = index_of(vectors).search(noisy)
    assert id == 77 or cosine < 0.1
    mixed = sign(vectors[77].float() + bipolar(1, 2000, 9)[0].float())
    assert index_of(vectors).search(mixed)[0][0] == 77


def test_an_id_added_again_is_replaced():
    vectors = bipolar(5, 100)
    index: PackedIndex[str] = PackedIndex(100)
    index.add(vectors[:3], ["a", "b", "c"])
    index.add(pack(vectors[3:5]), ["b", "d"])
    assert len(index) == 4 and "b" in index and "e" not in index
    assert index.search(vectors[3]) == [("b", 1.0)]
    assert index.search(vectors[1])[0][1] < 1


def test_an_empty_index_finds_nothing():
    index: PackedIndex[int] = PackedIndex(100)
    assert index.search(bipolar(1, 100)[0]) == []
    index.add(bipolar(0, 100), [])
    assert len(index) == 0


@pytest.mark.parametrize("ids", [["a", "é\ud800", "\n"], [3, 1, 2]])
def test_an_index_is_written_and_read(ids):
    vectors = bipolar(3, 100)
    index = PackedIndex(100)
    index.add(vectors, ids)
    again = PackedIndex.from_bytes(index.to_bytes())
    assert again.dimensions == 100 and len(again) == 3
    assert again.search_many(vectors, 2) == index.search_many(vectors, 2)
    again.add(bipolar(1, 100, 5), ids[:1])  # it can grow on


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-4], lambda b: b"x" + b, lambda b: b[:40], lambda b: b""]
)
def test_a_damaged_index_is_refused(damage):
    with pytest.raises(HologramError, match="not a packed index"):
        PackedIndex.from_bytes(damage(index_of(bipolar(3, 100)).to_bytes()))


def test_what_does_not_fit_is_told():
    index = index_of(bipolar(3, 100))
    with pytest.raises(HologramError, match="2 ids"):
        index.add(bipolar(3, 100), [1, 2])
    with pytest.raises(HologramError, match="100 dimensions"):
        index.add(bipolar(1, 300), [1])
    with pytest.raises(HologramError, match="compared"):
        index.search(bipolar(1, 90)[0])
    with pytest.raises(HologramError, match="words"):
        index.search(pack(bipolar(1, 300)[0]))
    with pytest.raises(HologramError, match="at least one"):
        index.search(bipolar(1, 100)[0], 0)
    with pytest.raises(HologramError, match="words"):
        unpack(pack(bipolar(1, 100)), 300)
