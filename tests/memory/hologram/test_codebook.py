"""Vectors by kind and name: the same in every codebook of one seed, whatever the cache holds."""

import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.errors import HologramError
from memory.hologram.codebook import Codebook
from memory.hologram.hypervectors import DIMENSIONS, bundle, sign, similarity
from memory.hologram.packed import pack

NAMES = [f"name_{i}" for i in range(3000)]


def test_two_codebooks_of_one_seed_agree():
    first, second = Codebook(), Codebook()
    assert first.dimensions == DIMENSIONS
    second.matrix("FILE", NAMES[:50])  # what was asked before does not matter
    assert torch.equal(first.vector("FILE", "a.py"), second.vector("FILE", "a.py"))
    assert not torch.equal(first.vector("FILE", "a.py"), Codebook(seed=1).vector("FILE", "a.py"))


def test_kinds_and_names_do_not_run_into_each_other():
    book = Codebook()
    assert abs(float(similarity(book.vector("FILE", "x"), book.vector("TOKEN", "x")))) < 0.05
    assert not torch.equal(book.vector("a", "b:c"), book.vector("a:b", "c"))


@settings(deadline=None)
@given(st.lists(st.text(max_size=8), max_size=30), st.integers(1, 5))
def test_a_small_cache_changes_nothing(names, kilobytes):
    roomy, tight = Codebook(700), Codebook(700, cache_mb=kilobytes / 1000)
    for _ in range(2):
        assert torch.equal(tight.matrix("k", names), roomy.matrix("k", names))
    for name in names[::-1]:
        assert torch.equal(tight.vector("k", name), roomy.vector("k", name))


def test_a_matrix_is_the_vectors_in_order():
    book = Codebook(1000)
    names = [*NAMES[:2500], NAMES[3]]
    matrix = book.matrix("k", names)
    assert matrix.shape == (2501, 1000) and matrix.dtype == torch.int8
    assert torch.equal(matrix[17], book.vector("k", NAMES[17]))
    assert torch.equal(matrix[-1], matrix[3])
    assert torch.equal(torch.from_numpy(book.packed("k", names)), torch.from_numpy(pack(matrix)))
    assert book.matrix("k", []).shape == (0, 1000)


def test_a_weighted_bundle_is_the_sum():
    book = Codebook()
    weights = {name: 0.1 * i for i, name in enumerate(NAMES[:300])}
    expected = bundle(book.matrix("k", NAMES[:300]), torch.tensor([*weights.values()]))
    assert torch.allclose(book.weighted("k", weights), expected, atol=1e-3)
    assert torch.equal(book.weighted("k", {}), torch.zeros(DIMENSIONS))


def test_cleanup_finds_the_members_of_a_bundle_by_weight():
    book = Codebook()
    mixed = book.weighted("k", {"name_7": 3, "name_500": 2, "name_2999": 1})
    found = book.cleanup(mixed, "k", NAMES, k=3)
    assert [name for name, _ in found] == ["name_7", "name_500", "name_2999"]
    assert found[0][1] == pytest.approx(3 / 14**0.5, abs=0.05)
    assert found[0][1] == pytest.approx(
        float(similarity(mixed, book.vector("k", "name_7"))), abs=1e-5
    )


@pytest.mark.parametrize("scale", [1, 3, 0.37])
def test_cleanup_takes_any_vector(scale):
    book = Codebook()
    noisy = sign(book.weighted("k", {"name_8": 1, "other": 1}))
    [(name, cosine)] = book.cleanup(noisy * scale, "k", NAMES)
    assert name == "name_8"
    assert cosine == pytest.approx(0.5, abs=0.05)


def test_threads_share_a_codebook():
    book, expected = Codebook(500, cache_mb=0.02), Codebook(500).matrix("k", NAMES[:400])
    wrong: list[int] = []

    def ask(first: int) -> None:
        for start in range(first, 400, 8):
            if not torch.equal(
                book.matrix("k", NAMES[start : start + 8]), expected[start : start + 8]
            ):
                wrong.append(start)

    threads = [threading.Thread(target=ask, args=(8 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_does_not_fit_is_told():
    with pytest.raises(HologramError, match="at least one dimension"):
        Codebook(0)
    with pytest.raises(HologramError, match="no names"):
        Codebook(100).cleanup(torch.ones(100), "k", [])
    with pytest.raises(HologramError, match="compared"):
        Codebook(100).cleanup(torch.ones(90), "k", ["a"])
