"""Products of rows are found by comparing all, whatever the factors, noise and width."""

import itertools
import math

import pytest
import torch
from hologram_products import factors, noise, product
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.errors import HologramError
from memory.hologram.codebook import Codebook
from memory.hologram.exhaustive import best_products, widths
from memory.hologram.factor import Factor, chance_level, window
from memory.hologram.hypervectors import permute, similarity
from memory.hologram.network import NetworkSettings
from memory.hologram.product_search import nearest_products


@given(st.integers(200, 400), st.integers(0, 64), st.integers(1, 130))
def test_a_window_is_the_same_dimensions_of_every_rotation(dimensions, shift, width):
    book = Codebook(dimensions)
    factor = Factor(book.packed("k", ["a", "b", "c"]), dimensions, shift)
    rotated = permute(book.matrix("k", ["a", "b", "c"]), shift)
    assert torch.equal(factor.take(), rotated)
    assert torch.equal(factor.take(width=width), window(rotated, width))
    assert torch.equal(factor.take(torch.tensor([2, 0]), width), window(rotated[[2, 0]], width))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=5), st.integers(0, 10**6))
def test_any_number_of_factors_is_found(sizes, number):
    chosen = factors(sizes)
    places = [number // 7**i % size for i, size in enumerate(sizes)]
    best = best_products(product(chosen, places), chosen, 1)[0]
    assert best.places == tuple(places)
    assert best.similarity == pytest.approx(1)


def test_the_k_nearest_are_those_of_a_plain_comparison():
    chosen = factors([3, 7, 11], 300)
    observation = noise(300)
    plain = {
        places: float(similarity(product(chosen, [*places]), observation))
        for places in itertools.product(range(3), range(7), range(11))
    }
    expected = sorted(plain, key=plain.__getitem__, reverse=True)[:9]
    found = best_products(observation, chosen, 9)
    assert [match.places for match in found] == expected
    assert found[3].similarity == pytest.approx(plain[expected[3]], abs=1e-6)


@pytest.mark.parametrize("level", [0.5, 1.5, 6.0])
def test_noise_is_borne_as_far_as_the_dimensions_tell(level):
    chosen = factors([6, 100, 100])
    observation = product(chosen, [5, 99, 0]) + level * noise(10_000)
    found = nearest_products(observation, chosen, network=NetworkSettings())
    assert found.matches[0].places == (5, 99, 0)
    assert found.matches[0].similarity == pytest.approx(1 / math.hypot(1, level), abs=0.03)
    assert found.matches[0].similarity > found.chance


def test_damage_to_the_first_dimensions_only_costs_time():
    chosen = factors([6, 50, 50])
    observation = product(chosen, [1, 2, 3])
    observation[:3000] = torch.where(noise(3000) > 0, 1, -1)
    found = best_products(observation, chosen, 1)[0]
    assert found.places == (1, 2, 3)
    assert found.similarity == pytest.approx(0.7, abs=0.03)


def test_all_of_a_bundle_of_products_are_found_by_weight():
    chosen = factors([6, 80, 80])
    members = [[0, 1, 2], [3, 70, 5], [5, 5, 5], [2, 79, 79]]
    weights = [1.0, 4.0, 3.0, 2.0]
    observation = sum(w * product(chosen, m) for w, m in zip(weights, members, strict=True))
    found = best_products(observation, chosen, 4)
    assert [match.places for match in found] == [(3, 70, 5), (5, 5, 5), (2, 79, 79), (0, 1, 2)]


def test_a_random_vector_is_told_from_a_product():
    chosen = factors([6, 200, 200])
    found = nearest_products(noise(10_000), chosen, network=NetworkSettings())
    assert found.matches[0].similarity < found.chance


def test_chance_is_rarely_as_good():
    """Of 2,000 random observations at 1 in 100 and 50 candidates, about 20 at most may pass."""
    book = Codebook(1000).matrix("k", [*map(str, range(50))]).float()
    observations = torch.randn(2000, 1000, generator=torch.Generator().manual_seed(1))
    best = (observations @ book.T / observations.norm(dim=1, keepdim=True) / 1000**0.5).amax(1)
    assert float(best.max()) < chance_level(50, 1000)
    assert float(best.max()) > 0.6 * chance_level(50, 1000)  # and it asks for little more


def test_too_many_products_are_left_to_the_network():
    assert widths([6, 1000, 1000], 10_000) == [512, 2048, 10_000]
    assert widths([6, 1000, 1000], 10_000, 1e10) == [512]
    assert widths([6, 1000, 1000], 10_000, 1e9) == []
    assert widths([6, 10], 500) == [500]
    chosen = factors([6, 40, 40], 2000)
    few = nearest_products(
        product(chosen, [1, 2, 3]), chosen, multiplications=0, network=NetworkSettings()
    )
    assert few.method == "network" and few.matches[0].places == (1, 2, 3)


def test_what_does_not_fit_is_told():
    rows = Codebook(100).packed("k", ["a"])
    with pytest.raises(HologramError, match="at least one row"):
        Factor(rows[:0], 100)
    with pytest.raises(HologramError, match="64 places"):
        Factor(rows, 100, 65)
