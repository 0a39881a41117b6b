"""The algebra's laws, and that a name has the same vector everywhere."""

import hashlib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.errors import HologramError
from memory.hologram.hypervectors import (
    DIMENSIONS,
    bind,
    bundle,
    hypervector,
    permute,
    sign,
    similarity,
    unbind,
)

names = st.text(max_size=20)
dimensions = st.integers(1, 300)
shifts = st.integers(-400, 400)


def vectors(count: int, size: int = DIMENSIONS, seed: int = 0) -> torch.Tensor:
    return torch.stack([hypervector(f"v{i}", seed=seed, dimensions=size) for i in range(count)])


def test_a_name_has_the_same_vector_on_every_machine():
    digest = hashlib.sha256(hypervector("parse_args", seed=7).numpy().tobytes()).hexdigest()
    assert digest == "2d1050cf457a5a858e05aa9f37e542618d55c8f94edc91cbbcb8128d3234a0bb"


@given(names, st.integers(0, 9), dimensions)
def test_a_vector_is_bipolar_and_begins_as_the_longer_one(name, seed, size):
    vector = hypervector(name, seed=seed, dimensions=size)
    assert vector.shape == (size,) and vector.dtype == torch.int8
    assert bool((vector.abs() == 1).all())
    longer = hypervector(name, seed=seed, dimensions=size + 70)
    assert torch.equal(longer[:size], vector)


def test_names_and_seeds_give_unrelated_vectors():
    several = torch.cat([vectors(20), vectors(20, seed=1)])
    cosines = several.float() @ several.float().T / DIMENSIONS
    cosines.fill_diagonal_(0)
    assert float(cosines.abs().max()) < 0.05  # five standard deviations
    assert abs(float(several.float().mean())) < 0.01


@given(names, names, names, dimensions)
def test_binding_commutes_and_is_its_own_inverse(a, b, c, size):
    x, y, z = (hypervector(name, dimensions=size) for name in (a, b, c))
    assert torch.equal(bind(x, y, z), bind(z, x, y))
    assert torch.equal(unbind(bind(x, y, z), y, z), x)
    assert bind(x, y).dtype == torch.int8


def test_binding_keeps_distances_and_looks_like_neither_part():
    a, b, key = vectors(3)
    noisy = sign(a.float() + 0.5 * b.float())
    assert torch.equal(similarity(bind(a, key), bind(noisy, key)), similarity(a, noisy))
    assert abs(float(similarity(bind(a, key), a))) < 0.05


def test_binding_broadcasts_over_leading_axes():
    several, key = vectors(5), hypervector("key")
    bound = bind(several, key)
    assert bound.shape == several.shape
    assert torch.equal(bound[3], bind(several[3], key))


def test_binding_distributes_over_weighted_bundles():
    several, key, weights = vectors(4), hypervector("key"), torch.tensor([1.0, 2.0, 0.5, 3.0])
    together = bind(bundle(several, weights), key)
    assert torch.equal(together, bundle(bind(several, key), weights))


@pytest.mark.parametrize("count", [2, 5, 20, 60])
def test_members_of_a_bundle_have_cosine_one_over_root_n(count):
    several = vectors(count)
    cosines = similarity(several, bundle(several))
    assert torch.allclose(cosines, torch.tensor(count**-0.5).expand(count), atol=0.05)
    assert abs(float(similarity(hypervector("other"), bundle(several)))) < 0.05


def test_weights_are_kept_until_the_sign_is_taken():
    several = vectors(3)
    weighted = bundle(several, torch.tensor([4.0, 1.0, 1.0]))
    cosines = similarity(several, weighted)
    assert float(cosines[0]) == pytest.approx(4 / 18**0.5, abs=0.05)
    assert float(cosines[1]) == pytest.approx(1 / 18**0.5, abs=0.05)
    assert torch.equal(sign(weighted), several[0])  # 4 outweighs 1 + 1


@given(st.integers(0, 5), st.integers(1, 200))
def test_sign_breaks_ties_by_its_seed_and_keeps_the_rest(seed, size):
    values = torch.linspace(-2, 2, size).round()
    taken = sign(values, seed=seed)
    assert bool((taken.abs() == 1).all())
    assert torch.equal(taken[values != 0].float(), values[values != 0].sign())
    assert torch.equal(taken, sign(values, seed=seed))


def test_ties_fall_on_both_sides():
    taken = sign(torch.zeros(3, DIMENSIONS))
    assert abs(float(taken.float().mean())) < 0.05
    assert torch.equal(taken[0], taken[2])


@given(names, shifts, shifts, dimensions)
def test_permutations_add_up_and_pass_through_binding(name, first, second, size):
    x, y = hypervector(name, dimensions=size), hypervector("y", dimensions=size)
    assert torch.equal(permute(permute(x, first), second), permute(x, first + second))
    assert torch.equal(permute(permute(x, first), -first), x)
    assert torch.equal(permute(bind(x, y), first), bind(permute(x, first), permute(y, first)))


def test_a_permuted_vector_is_unrelated():
    x = hypervector("x")
    assert abs(float(similarity(x, permute(x)))) < 0.05


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_similarity_is_the_cosine(size, count, seed):
    random = torch.Generator().manual_seed(seed)
    several, one = torch.randn(count, size, generator=random), torch.randn(size, generator=random)
    expected = torch.nn.functional.cosine_similarity(several, one[None], dim=-1)
    assert torch.allclose(similarity(several, one), expected, atol=1e-5)
    assert torch.allclose(similarity(one, several), expected, atol=1e-5)
    assert torch.allclose(similarity(several, several), torch.ones(count), atol=1e-5)


def test_a_zero_vector_is_similar_to_nothing():
    assert float(similarity(torch.zeros(8), torch.ones(8))) == 0


def test_what_does_not_fit_is_told():
    with pytest.raises(HologramError, match="at least one"):
        bind()
    with pytest.raises(HologramError, match="10 and 12 dimensions"):
        bind(torch.ones(10), torch.ones(12))
    with pytest.raises(HologramError, match="as many weights"):
        bundle(vectors(3, 10), torch.ones(2))
