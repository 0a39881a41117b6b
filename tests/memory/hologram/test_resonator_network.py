"""The network factors what it can, says what it can not, and repeats itself."""

import pytest
import torch
from hologram_products import factors, noise, product

from memory.hologram.codebook import Codebook
from memory.hologram.factor import Factor, chance_level
from memory.hologram.hypervectors import sign
from memory.hologram.network import NetworkSettings, factorise
from memory.hologram.packed import pack

PLAIN = NetworkSettings(enumerated=0)


@pytest.mark.parametrize("settings", [NetworkSettings(), PLAIN, NetworkSettings(cleanup="ols")])
@pytest.mark.parametrize("sizes", [[30], [60, 60], [6, 50, 50], [20, 20, 20]])
def test_products_are_factored(settings, sizes):
    chosen = factors(sizes, 3000)
    for trial in range(3):
        places = tuple((7 * trial + 3 * i) % size for i, size in enumerate(sizes))
        result = factorise(product(chosen, [*places]), chosen, 1, settings)
        assert result.matches[0].places == places
        assert result.matches[0].similarity == pytest.approx(1)
        assert result.converged and result.sweeps <= settings.sweeps


def test_four_factors_are_found():
    chosen = factors([6, 20, 20, 20], 4000)
    result = factorise(product(chosen, [2, 3, 4, 5]), chosen, 1, NetworkSettings())
    assert result.matches[0].places == (2, 3, 4, 5)


def test_noise_is_borne():
    chosen = factors([6, 50, 50], 4000)
    noisy = sign(product(chosen, [4, 3, 2]) + 1.5 * noise(4000))
    result = factorise(noisy, chosen, 1, NetworkSettings())
    assert result.matches[0].places == (4, 3, 2)
    assert 0.2 < result.matches[0].similarity < 0.6


def test_a_bundle_of_products_is_taken_apart_one_by_one():
    chosen = factors([6, 40, 40], 4000)
    observation = product(chosen, [0, 1, 2]) + 2.0 * product(chosen, [3, 4, 5])
    found = factorise(observation, chosen, 5, NetworkSettings()).matches
    assert [match.places for match in found] == [(3, 4, 5), (0, 1, 2)]


def test_one_seed_gives_one_result():
    chosen = factors([90, 90, 90], 1500)
    observation = product(chosen, [1, 2, 3])
    first, second = (factorise(observation, chosen, 1, NetworkSettings(sweeps=5)) for _ in range(2))
    assert first == second


def test_beyond_its_capacity_it_says_so():
    chosen = factors([150, 150, 150], 300)
    result = factorise(product(chosen, [1, 2, 3]), chosen, 1, NetworkSettings(sweeps=20))
    assert result.matches[0].similarity < chance_level(150**3, 300)
    assert not result.converged or result.matches[0].places != (1, 2, 3)
    assert result.sweeps == 20


@pytest.mark.parametrize("cleanup", ["sign", "ols"])
def test_rows_that_are_alike_are_told_apart(cleanup):
    random = torch.Generator().manual_seed(3)
    chosen = []
    for factor in factors([40, 40, 40], 2000, rotated=False):
        rows = factor.take()
        shared = torch.rand(rows.shape, generator=random) < 0.7
        chosen.append(Factor(pack(torch.where(shared, rows[0], rows)), 2000))
    settings = NetworkSettings(cleanup=cleanup)
    for i in range(5):
        found = factorise(product(chosen, [i, 39 - i, 5 * i]), chosen, 1, settings)
        assert found.matches[0].places == (i, 39 - i, 5 * i)


def test_equal_rows_do_no_harm():
    book = Codebook(1000)
    twice = Factor(book.packed("k", ["a", "b", "a"]), 1000)
    chosen = [twice, factors([5, 5], 1000)[1]]
    found = factorise(product(chosen, [1, 2]), chosen, 1, NetworkSettings(cleanup="ols"))
    assert found.matches[0].places == (1, 2)
