"""Hidden states: pooled right, independent of their neighbours; the cache survives cuts."""

import pytest
import torch
from feature_work import themselves, work_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted import context_in
from transformers import AutoModel

from trainers.critic.feature_cache import FeatureCache, feature_key, fill
from trainers.critic.features import POOLED, HiddenStates
from trainers.critic.packing import CLOSING, OPENING
from trainers.errors import WeightsError
from trainers.generators.base import Message
from trainers.stage import Stopped

PROMPT = (Message("user", "Write a function that adds one."),)
CODES = ["def f(x):\n    return x + 1", "", "x" * 50, "def f(x): pass", "def g(y):\n    return y"]


def test_a_vector_is_what_a_plain_pass_through_the_whole_model_gives(tiny, tiny_folder):
    whole = AutoModel.from_pretrained(tiny_folder)
    with tiny:
        found = tiny.extract(PROMPT, CODES)
        for code, vector in zip(CODES, found, strict=True):
            ids = tiny._tokenizer(f"<|user|>{PROMPT[0].content}<|assistant|>")["input_ids"]
            body = tiny._tokenizer(OPENING + code + CLOSING)["input_ids"]
            with torch.inference_mode():
                states = whole(torch.tensor([ids + body]), output_hidden_states=True).hidden_states
            expected = []
            for layer in (4, 5):
                own = states[layer][0, len(ids) :]
                expected += [own[-1], own.mean(0)]
            torch.testing.assert_close(vector, torch.cat(expected), rtol=1e-4, atol=1e-5)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(codes=st.lists(st.text(max_size=60), min_size=1, max_size=6), size=st.integers(1, 6))
def test_a_vector_does_not_depend_on_its_neighbours(tiny_folder, codes, size):
    codes = [code.encode("utf-8", "replace").decode() for code in codes]
    source = HiddenStates(tiny_folder, "tiny", programs_a_pass=size, dtype=torch.float32)
    with source:
        together = source.extract(PROMPT, codes)
        alone = torch.cat([source.extract(PROMPT, [code]) for code in codes])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_a_pooling_chooses_its_columns_of_every_layer(tiny):
    width = 32
    mean = tiny.columns("mean")
    assert mean == [*range(width, 2 * width), *range(3 * width, 4 * width)]
    assert len(mean) == tiny.dim // len(POOLED)
    assert tiny.columns("all") == list(range(tiny.dim))


def test_very_long_programs_and_prompts_are_cut_not_refused(tiny):
    with tiny:
        vector = tiny.extract((Message("user", "long " * 2000),), ["x = 1\n" * 2000])
    assert vector.shape == (1, tiny.dim)
    assert vector.isfinite().all()


def test_no_model_in_the_folder_is_one_clear_line(tmp_path):
    with pytest.raises(WeightsError, match="kent model pull"):
        HiddenStates(tmp_path, "tiny", programs_a_pass=1, dtype=torch.float32)


def test_features_are_computed_once_per_distinct_program(tmp_path, tiny):
    context = context_in(tmp_path)
    work = [work_of(PROMPT, ["a = 1", "b = 2"]), work_of((Message("user", "other"),), ["a = 1"])]
    assert (
        fill(context, FeatureCache(tmp_path / "f", tiny.id, tiny.dim), tiny, work, themselves) == 3
    )
    cache = FeatureCache(tmp_path / "f", tiny.id, tiny.dim)
    assert fill(context, cache, tiny, work, themselves) == 0
    assert (context.progress.done, context.progress.total) == (3, 3)
    keys = [feature_key(PROMPT, code) for code in ("b = 2", "a = 1")]
    with tiny:
        expected = tiny.extract(PROMPT, ["b = 2", "a = 1"])
    torch.testing.assert_close(cache.load(keys, range(tiny.dim)), expected, rtol=2e-3, atol=2e-3)


def test_a_stop_keeps_what_was_computed(tmp_path, tiny):
    polls = iter([False, False, True])
    context = context_in(tmp_path, stop_requested=lambda: next(polls))
    work = [work_of((Message("user", str(n)),), ["a = 1"]) for n in range(5)]
    with pytest.raises(Stopped):
        fill(context, FeatureCache(tmp_path / "f", tiny.id, tiny.dim), tiny, work, themselves)
    context.stop_requested = lambda: False
    assert (
        fill(context, FeatureCache(tmp_path / "f", tiny.id, tiny.dim), tiny, work, themselves) == 3
    )


def test_another_source_shares_nothing(tmp_path, tiny):
    cache = FeatureCache(tmp_path, tiny.id, tiny.dim)
    cache.add([feature_key(PROMPT, "a")], torch.zeros(1, tiny.dim))
    assert feature_key(PROMPT, "a") in FeatureCache(tmp_path, tiny.id, tiny.dim)
    assert feature_key(PROMPT, "a") not in FeatureCache(tmp_path, "other", tiny.dim)


def test_a_broken_shard_is_reported_and_its_programs_are_redone(tmp_path, tiny):
    context = context_in(tmp_path)
    work = [work_of(PROMPT, ["a = 1", "b = 2"])]
    fill(context, FeatureCache(tmp_path / "f", tiny.id, tiny.dim), tiny, work, themselves)
    (shard,) = (tmp_path / "f").rglob("*.safetensors")
    shard.write_bytes(shard.read_bytes()[:-10])
    assert (
        fill(context, FeatureCache(tmp_path / "f", tiny.id, tiny.dim), tiny, work, themselves) == 2
    )
    (event,) = context.store.events(level="warning")
    assert shard.name in event["message"]
