"""Fillers come out of bundles and products as they went in; what is not sure is not verified."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.errors import HologramError
from memory.hologram.codebook import Codebook
from memory.hologram.hypervectors import sign, similarity
from memory.hologram.network import NetworkSettings
from memory.hologram.resonator import Factorization, TransformationResonator

VOCABULARIES = {
    "ACTION": ["add", "delete", "modify", "move", "rename", "swap"],
    "TARGET": [f"file_{i}.py" for i in range(300)],
    "MODIFIER": [f"function_{i}" for i in range(300)],
}
TRUE = {"ACTION": "move", "TARGET": "file_17.py", "MODIFIER": "function_299"}
RESONATOR = TransformationResonator(Codebook())
BY_NETWORK = TransformationResonator(Codebook(), multiplications=0)

fillers = st.fixed_dictionaries({role: st.sampled_from(v) for role, v in VOCABULARIES.items()})


def noise(level: float, seed: int = 0) -> torch.Tensor:
    return level * torch.randn(10_000, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None, max_examples=10)
@given(fillers)
def test_every_form_is_recognised_and_decoded(chosen):
    bundle = RESONATOR.encode_bundle(chosen)
    product = RESONATOR.encode_product(chosen)
    assert bundle.dtype == torch.float32 and product.dtype == torch.int8
    for observation, method in (
        (bundle, "unbind"),
        (sign(bundle), "unbind"),
        (product, "exhaustive"),
    ):
        found = RESONATOR.resonate(observation, VOCABULARIES)
        assert found.factors == chosen
        assert found.method == method and found.verified and found.converged
    assert (found.action, found.target, found.modifier) == tuple(
        chosen[role] for role in VOCABULARIES
    )
    assert found.min_confidence == pytest.approx(1)


def test_confidences_are_the_cosines():
    found = RESONATOR.resonate(RESONATOR.encode_bundle(TRUE), VOCABULARIES)
    assert [*found.factors] == [*found.confidences] == ["ACTION", "TARGET", "MODIFIER"]
    assert found.min_confidence == min(found.confidences.values())
    assert found.min_confidence == pytest.approx(3**-0.5, abs=0.03)
    assert found.similarity == pytest.approx(1)


def test_the_network_finds_the_same():
    found = BY_NETWORK.resonate(BY_NETWORK.encode_product(TRUE), VOCABULARIES)
    assert found.factors == TRUE and found.method == "network"
    assert found.verified and found.converged and found.iterations >= 1


@pytest.mark.parametrize("resonator", [RESONATOR, BY_NETWORK], ids=["exhaustive", "network"])
@pytest.mark.parametrize("form", ["bundle", "product"])
def test_noise_lowers_the_similarity_not_the_answer(resonator, form):
    clean = getattr(resonator, f"encode_{form}")(TRUE)
    found = resonator.resonate(clean + noise(1.0), VOCABULARIES)
    assert found.factors == TRUE and found.verified
    assert found.similarity == pytest.approx(float(similarity(clean, clean + noise(1.0))), abs=1e-5)
    assert found.similarity < 0.9


def test_a_filler_that_is_not_in_the_vocabulary_is_not_verified():
    strange = {**TRUE, "TARGET": "unknown.py"}
    found = RESONATOR.resonate(RESONATOR.encode_bundle(strange), VOCABULARIES)
    assert not found.verified and found.method == "unbind"
    assert (found.action, found.modifier) == ("move", "function_299")
    assert found.min_confidence == found.confidences["TARGET"] < 0.06
    assert not RESONATOR.resonate(RESONATOR.encode_product(strange), VOCABULARIES).verified


def test_nothing_is_found_in_noise():
    short = TransformationResonator(
        Codebook(), multiplications=0, network=NetworkSettings(sweeps=3)
    )
    for resonator in (RESONATOR, short):
        found = resonator.resonate(noise(1.0), VOCABULARIES)
        assert not found.verified
        assert found.similarity < 0.08
    assert found.iterations == 3 and not found.converged


def test_a_bundle_may_leave_roles_out():
    known = {"ACTION": "add", "MODIFIER": "function_3"}
    found = RESONATOR.resonate(RESONATOR.encode_bundle(known), VOCABULARIES)
    assert (found.action, found.modifier) == ("add", "function_3")
    assert not found.verified


def test_the_next_best_of_a_bundle_come_by_their_sums():
    second = {**TRUE, "TARGET": "file_5.py"}
    mixed = RESONATOR.encode_bundle(TRUE) + 0.5 * RESONATOR.encode_bundle(second)
    found = RESONATOR.resonate_topk(mixed, VOCABULARIES, 4)
    assert [f.factors for f in found[:2]] == [TRUE, second]
    sums = [sum(f.confidences.values()) for f in found]
    assert sums == sorted(sums, reverse=True)
    assert len({tuple(f.factors.items()) for f in found}) == 4
    assert [f.verified for f in found] == [True, True, False, False]


@pytest.mark.parametrize("resonator", [RESONATOR, BY_NETWORK], ids=["exhaustive", "network"])
def test_the_products_of_a_bundle_come_by_weight(resonator):
    other = {"ACTION": "swap", "TARGET": "file_0.py", "MODIFIER": "function_0"}
    mixed = 2 * resonator.encode_product(TRUE) + resonator.encode_product(other)
    found = resonator.resonate_topk(mixed, VOCABULARIES, 2)
    assert [f.factors for f in found] == [TRUE, other]
    assert all(f.verified for f in found)
    assert resonator.resonate(mixed, VOCABULARIES).factors == TRUE


def test_k_may_exceed_what_there_is():
    few = {role: names[:2] for role, names in VOCABULARIES.items()}
    chosen = {role: names[0] for role, names in few.items()}
    assert len(RESONATOR.resonate_topk(RESONATOR.encode_bundle(chosen), few, 20)) == 8
    assert len(RESONATOR.resonate_topk(RESONATOR.encode_product(chosen), few, 20)) == 8


def test_a_form_can_be_asked_for():
    bundle, product = RESONATOR.encode_bundle(TRUE), RESONATOR.encode_product(TRUE)
    assert RESONATOR.resonate(product, VOCABULARIES, form="bundle").method == "unbind"
    assert RESONATOR.resonate(bundle, VOCABULARIES, form="product").method == "exhaustive"
    assert not RESONATOR.resonate(bundle, VOCABULARIES, form="product").verified


def test_equal_names_of_two_roles_do_not_cancel():
    names = {role: ["same", "other"] for role in VOCABULARIES}
    chosen = dict.fromkeys(VOCABULARIES, "same")
    for observation in (RESONATOR.encode_product(chosen), RESONATOR.encode_bundle(chosen)):
        assert RESONATOR.resonate(observation, names).factors == chosen


def test_repeated_names_count_once():
    repeated = {role: [*names[:3], *names[:3]] for role, names in VOCABULARIES.items()}
    chosen = {role: names[2] for role, names in repeated.items()}
    found = RESONATOR.resonate_topk(RESONATOR.encode_bundle(chosen), repeated, 27)
    assert len(found) == 27 and found[0].factors == chosen


def test_other_roles_can_be_named():
    code = TransformationResonator(Codebook(2000), ("OPERATION", "FILE", "LOCATION"))
    names = {"LOCATION": ["f", "g"], "OPERATION": ["add", "cut"], "FILE": ["a", "b"]}
    chosen = {"FILE": "b", "LOCATION": "f", "OPERATION": "cut"}
    found = code.resonate(code.encode_product(chosen), names)
    assert found.factors == chosen
    assert [*found.factors] == ["OPERATION", "FILE", "LOCATION"]
    assert (found.action, found.target, found.modifier) == ("cut", "b", "f")
    assert torch.equal(code.role("FILE"), code.codebook.vector("ROLE", "FILE"))


def test_a_factorization_can_be_made_by_hand():
    made = Factorization({"A": "x", "B": "y", "C": "z"}, {}, 0.1, False, False, "unbind", 0)
    assert made.modifier == "z" and made.similarity == 0


@pytest.mark.parametrize(
    ("observation", "vocabularies", "told"),
    [
        (torch.ones(10), VOCABULARIES, r"shape \(10,\)"),
        (torch.zeros(10_000), VOCABULARIES, "all zero"),
        (torch.full((10_000,), torch.nan), VOCABULARIES, "not finite"),
        (torch.ones(10_000), {"ACTION": ["a"]}, "TARGET, MODIFIER"),
        (torch.ones(10_000), {**VOCABULARIES, "TARGET": []}, "choose among for TARGET"),
        (torch.ones(10_000), {**VOCABULARIES, "WHEN": ["a"]}, "no such role: WHEN"),
    ],
)
def test_what_does_not_fit_is_told(observation, vocabularies, told):
    with pytest.raises(HologramError, match=told):
        RESONATOR.resonate(observation, vocabularies)


def test_what_can_not_be_encoded_is_told():
    with pytest.raises(HologramError, match="name every role"):
        RESONATOR.encode_product({"ACTION": "add"})
    with pytest.raises(HologramError, match="at least one role"):
        RESONATOR.encode_bundle({})
    with pytest.raises(HologramError, match="no such role"):
        RESONATOR.role("FILE")
    with pytest.raises(HologramError, match="must differ"):
        TransformationResonator(Codebook(), ("A", "A", "B"))
    with pytest.raises(HologramError, match="at least one factorization"):
        RESONATOR.resonate_topk(torch.ones(10_000), VOCABULARIES, 0)
