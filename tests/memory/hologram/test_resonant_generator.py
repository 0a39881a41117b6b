"""The generator: only what is expected where it stands passes, or there is no result."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.errors import HologramError
from memory.hologram.codebook import Codebook
from memory.hologram.hypervectors import permute, similarity
from memory.hologram.resonant_generator import END, ResonantGenerator, calibrate_threshold

CODEBOOK = Codebook(4_000, 1)
WORDS = ["if", "x", "is", "None", ":", "return", "y", "+", "-", "1"]
TRUE = ("if", "x", "is", "None", ":", "return", "y")


def generator(**options) -> ResonantGenerator:
    return ResonantGenerator(CODEBOOK, **options)


def even(*words: str):
    """Proposes every word, all equally likely."""
    proposed = [(word, -math.log(len(words))) for word in words]
    return lambda prefix: proposed


def chain(**likely):
    """Proposes for each prefix, written with spaces, the words given with their probabilities."""
    table = {prefix.replace("_", " "): words for prefix, words in likely.items()}
    return lambda prefix: [
        (word, math.log(p)) for word, p in table.get(" ".join(prefix) or "begin", {}).items()
    ]


def test_a_bundle_expects_its_tokens_where_they_stand_and_nothing_else():
    expected = generator().expect(TRUE)
    true = generator().supports(expected, TRUE)
    assert all(0.85 < support < 1.15 for support in true)
    moved = generator().supports(expected, TRUE[1:])
    assert all(abs(support) < 0.2 for support in moved)
    direct = similarity(permute(expected, -2), CODEBOOK.vector("token", "is"))
    assert float(direct) == pytest.approx(
        true[2] * math.sqrt(4_000) / float(expected.norm()), rel=1e-4
    )


def test_an_unlikely_sequence_is_found_where_it_is_the_expected_one():
    (found,) = generator().generate(even(*WORDS, END), generator().expect(TRUE))
    assert found.tokens == TRUE
    assert found.log_probability == pytest.approx(-8 * math.log(11))
    assert len(found.supports) == 8
    assert found.least_support > 0.5


@settings(deadline=None, max_examples=20)
@given(st.lists(st.sampled_from(WORDS), max_size=20))
def test_any_sequence_is_found_again_from_its_bundle(tokens: list[str]):
    (found,) = generator().generate(even(*WORDS, END), generator().expect(tokens))
    assert found.tokens == tuple(tokens)


def test_what_was_never_proposed_is_never_made():
    expected = generator().expect(["x", "unknown"])
    assert generator().generate(even("x", "y", END), expected) == []


def test_noise_expects_nothing():
    noise = torch.randn(4_000, generator=torch.Generator().manual_seed(0))
    assert generator().generate(even(*WORDS, END), noise) == []


def test_a_bundle_of_many_tokens_is_no_harder():
    tokens = [WORDS[number % len(WORDS)] for number in range(120)]
    wide = ResonantGenerator(Codebook(10_000, 1))
    (found,) = wide.generate(even(*WORDS, END), wide.expect(tokens))
    assert list(found.tokens) == tokens


def test_it_backtracks_where_the_likelier_way_ends():
    expected = CODEBOOK.matrix("token", ["x", "y"]).float().sum(0)  # both are expected first
    expected += permute(CODEBOOK.vector("token", "+"), 1) + permute(
        CODEBOOK.vector("token", END), 2
    )
    propose = chain(begin={"x": 0.9, "y": 0.1}, x={"-": 1.0}, y={"+": 1.0}, **{"y_+": {END: 1.0}})
    (found,) = generator(beam=1).generate(propose, expected)
    assert (found.tokens, found.backtracks) == (("y", "+"), 1)
    assert generator(beam=1, max_backtracks=0).generate(propose, expected) == []
    (found,) = generator(beam=2).generate(propose, expected)
    assert (found.tokens, found.backtracks) == (("y", "+"), 0)


def test_likelier_and_better_expected_sequences_come_first():
    expected = CODEBOOK.vector("token", "x").float() + 0.7 * CODEBOOK.vector("token", "y")
    expected += permute(CODEBOOK.vector("token", END), 1)
    ends = {"x": {END: 1.0}, "y": {END: 1.0}}
    both = generator().generate(chain(begin={"x": 0.5, "y": 0.5}, **ends), expected, results=5)
    assert [found.tokens for found in both] == [("x",), ("y",)]
    likely = generator().generate(chain(begin={"x": 0.1, "y": 0.9}, **ends), expected, results=5)
    assert [found.tokens for found in likely] == [("y",), ("x",)]
    assert both[0].score > both[1].score


def test_no_sequence_is_longer_than_asked_for():
    expected = generator().expect(["x"] * 5)
    assert generator().generate(even("x", END), expected, max_tokens=4) == []
    assert len(generator().generate(even("x", END), expected, max_tokens=5)[0].tokens) == 5


def test_the_calibrated_threshold_rejects_about_that_share_of_true_sequences():
    draw = torch.Generator().manual_seed(0)
    supports = torch.randn((2_000, 10), generator=draw) * 0.1 + 1
    half = calibrate_threshold(supports[:1_000].tolist(), 0.05)
    rejected = (supports[1_000:].min(dim=1).values < half).float().mean()
    assert 0.03 < float(rejected) < 0.07
    own = (supports[:1_000].min(dim=1).values < half).float().mean()
    assert float(own) <= 0.05
    tokens = [[support] for row in supports[:1_000].tolist() for support in row]
    assert calibrate_threshold(tokens, 0.05) > half  # token by token would be too strict


def test_few_sequences_give_the_least_of_all_and_none_are_refused():
    assert calibrate_threshold([[0.9, 0.4], [0.8]], 0.05) == 0.4
    assert calibrate_threshold([[0.9], [0.4]], 1.0) == 0.9
    for supports, share in (([], 0.05), ([[]], 0.05), ([[1.0]], 1.5)):
        with pytest.raises(HologramError, match="wants true sequences"):
            calibrate_threshold(supports, share)
