"""Encoder features: pooled right, in the asked order, independent of their neighbours."""

import pytest
import torch
from feature_work import themselves, work_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted import context_in
from tiny_bert import POSITIONS, save_tiny_bert
from transformers import AutoModel, AutoTokenizer

from trainers.critic import pairs
from trainers.critic.encoder import EncoderStates
from trainers.critic.feature_cache import FeatureCache, fill
from trainers.errors import WeightsError
from trainers.generators.base import Message

ASKED = "Write add(x)."
PROMPT = (Message("system", "Be careful."), Message("user", ASKED))
CODES = ["def f(x):\n    return x + 1", "", "x" * 50, "def f(x): pass", "def g(y):\n    return y"]
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture
def encoder(folder):
    return EncoderStates(folder, "tiny-bert", dtype=torch.float32)


def plain(folder, prompt: list[str], code: list[str]):
    """The vector by the words: [CLS] prompt [SEP] code [SEP], each character a token."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    ids = tokenizer.convert_tokens_to_ids(["[CLS]", *prompt, "[SEP]", *code, "[SEP]"])
    types = [0] * (len(prompt) + 2) + [1] * (len(code) + 1)
    with torch.inference_mode():
        states = model(
            torch.tensor([ids]), token_type_ids=torch.tensor([types]), output_hidden_states=True
        ).hidden_states
    out = []
    for layer in (2, 4):
        own = states[layer][0, len(prompt) + 2 : -1]
        out += [states[layer][0, 0], own.mean(0) if len(code) else torch.zeros(32)]
    return torch.cat(out)


def tokens(text: str) -> list[str]:
    return list(text.replace(" ", "Ġ").replace("\n", "Ċ"))


def test_a_vector_is_what_a_plain_forward_pass_over_the_pair_gives(folder, encoder):
    with encoder:
        found = encoder.extract(PROMPT, CODES)
    for code, vector in zip(CODES, found, strict=True):
        torch.testing.assert_close(vector, plain(folder, tokens(ASKED), tokens(code)), **CLOSE)


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(codes=st.lists(st.text("ab \n", max_size=60), min_size=1, max_size=8))
def test_a_vector_does_not_depend_on_its_neighbours(encoder, codes):
    with encoder:
        together = encoder.extract(PROMPT, codes)
        alone = torch.cat([encoder.extract(PROMPT, [code]) for code in codes])
    torch.testing.assert_close(together, alone, **CLOSE)


def test_batches_hold_like_lengths_and_a_bounded_number_of_padded_tokens(
    encoder, monkeypatch, folder
):
    monkeypatch.setattr(pairs, "BATCH_TOKENS", 100)
    codes = ["a" * (1 + 7 * n % 40) for n in range(20)]
    with encoder:
        own = encoder._pairs
        made = [own.pair(PROMPT, code) for code in codes]
        batches = list(own.batches(made, torch.device("cpu")))
        together = encoder.extract(PROMPT, codes)
        alone = torch.cat([encoder.extract(PROMPT, [code]) for code in codes])
    assert all(batch.code.numel() <= 100 for batch in batches)
    assert sorted(number for batch in batches for number in batch.numbers) == list(range(20))
    lengths = [batch.inputs["input_ids"].shape[1] for batch in batches]
    assert lengths == sorted(lengths)
    torch.testing.assert_close(together, alone, **CLOSE)


def test_the_code_is_kept_before_the_prompt(folder, encoder):
    long = (Message("user", "p" * 500),)
    with encoder:
        vector = encoder.extract(long, ["x" * 90])[0]
        cut = encoder.extract(long, ["y" * 5000])[0]
    room = POSITIONS - 3
    torch.testing.assert_close(vector, plain(folder, ["p"] * (room - 90), ["x"] * 90), **CLOSE)
    torch.testing.assert_close(cut, plain(folder, [], ["y"] * room), **CLOSE)


def test_mean_pooling_is_the_means_of_both_layers(encoder):
    assert encoder.dim == 128
    assert encoder.columns("mean") == [*range(32, 64), *range(96, 128)]
    assert encoder.columns("all") == list(range(128))


def test_another_precision_is_another_source(folder, encoder):
    other = EncoderStates(folder, "tiny-bert", dtype=torch.bfloat16)
    assert other.id != encoder.id
    with encoder, other:
        exact, rough = encoder.extract(PROMPT, CODES), other.extract(PROMPT, CODES)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, rtol=0.1, atol=0.1)


def test_the_cache_takes_it_as_any_feature_source(tmp_path, encoder):
    context = context_in(tmp_path)
    cache = FeatureCache(tmp_path / "f", encoder.id, encoder.dim)
    assert fill(context, cache, encoder, [work_of(PROMPT, CODES)], themselves) == len(CODES)


def test_what_is_no_encoder_is_one_clear_line(tmp_path, tiny_folder):
    with pytest.raises(WeightsError, match=r"not a model that transformers can load") as refused:
        EncoderStates(tmp_path, "none", dtype=torch.float32)
    assert "\n" not in str(refused.value)
    with pytest.raises(WeightsError, match="a decoder"):
        EncoderStates(tiny_folder, "tiny", dtype=torch.float32)
