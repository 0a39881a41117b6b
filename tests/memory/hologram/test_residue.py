"""Numbers survive as residues: alone, in noise, bound, and found by a network in a large range."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.errors import HologramError
from memory.hologram.codebook import Codebook
from memory.hologram.hypervectors import bind, similarity
from memory.hologram.network import NetworkSettings
from memory.hologram.residue import MODULI, ResidueCode

CODE = ResidueCode(Codebook())


@settings(deadline=None, max_examples=20)
@given(st.integers(0, math.prod(MODULI) - 1))
def test_every_number_is_decoded(number):
    found = CODE.decode(CODE.encode(number))
    assert found.number == number
    assert found.verified and found.similarity == pytest.approx(1)


@given(
    st.lists(st.sampled_from([4, 9, 25, 7, 11, 13]), min_size=1, max_size=4, unique=True), st.data()
)
def test_residues_tell_the_number(moduli, data):
    code = ResidueCode(Codebook(64), moduli)
    number = data.draw(st.integers(0, code.range - 1))
    assert code.number([number % m for m in moduli]) == number


def test_numbers_are_unrelated_unless_they_share_all_residues():
    vectors = torch.stack([CODE.encode(n) for n in (0, 1, 31, 31 * 37)])
    cosines = similarity(vectors[:, None], vectors[None])
    assert float((cosines - torch.eye(4)).abs().max()) < 0.05


def test_noise_is_borne_and_nothing_is_made_of_it():
    noise = torch.randn(10_000, generator=torch.Generator().manual_seed(2))
    assert CODE.decode(CODE.encode(12_345) + 2 * noise).number == 12_345
    assert not CODE.decode(noise).verified


def test_a_number_bound_with_a_name_is_taken_out():
    name = Codebook().vector("FUNCTION", "parse")
    assert CODE.decode(bind(CODE.encode(777), name, name)).number == 777
    assert not CODE.decode(bind(CODE.encode(777), name)).verified


def test_a_range_too_large_to_compare_is_left_to_the_network():
    code = ResidueCode(Codebook(), (13, 17, 19, 23, 29, 31, 37))
    found = code.decode(code.encode(1_234_567_890), NetworkSettings(sweeps=5))
    assert code.range > 3e9
    assert not found.verified or found.number == 1_234_567_890


def test_kinds_are_unrelated():
    lines = ResidueCode(Codebook(), kind="LINE")
    assert abs(float(similarity(lines.encode(5), CODE.encode(5)))) < 0.05


def test_what_does_not_fit_is_told():
    with pytest.raises(HologramError, match="co-prime"):
        ResidueCode(Codebook(100), (6, 9))
    with pytest.raises(HologramError, match="co-prime"):
        ResidueCode(Codebook(100), ())
    for number in (-1, CODE.range):
        with pytest.raises(HologramError, match="not in 0"):
            CODE.encode(number)
