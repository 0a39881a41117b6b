"""Settings and batches that cannot work are refused in one clear line."""

from typing import Any

import pytest
import torch
from ctm_batches import random_batch

from trainers.ctm.batch import Batch, check_batch
from trainers.ctm.config import PRESETS, configured, preset
from trainers.errors import ModelError


def test_presets_hold_the_specification() -> None:
    spec = preset("spec")
    assert (spec.d_model, spec.d_input, spec.heads, spec.iterations) == (384, 256, 8, 64)
    assert (spec.memory_length, spec.synapse_depth, spec.memory_hidden_dims) == (32, 6, 64)
    assert (spec.n_synch_out, spec.n_synch_action, spec.vocab_size) == (48, 48, 32768)
    assert (spec.grid_height, spec.grid_width) == (64, 48)
    for name in PRESETS:
        assert preset(name, iterations=3).iterations == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"d_inputs": 3}, "d_inputs: Extra inputs are not permitted"),
        ({"iterations": 0}, "iterations: Input should be greater than or equal to 1"),
        ({"iterations": "200,000"}, "iterations: Input should be a valid integer"),
        ({"heads": 5}, "d_input 256 is not a multiple of heads 5"),
        ({"n_synch_out": 400}, "400 synchronised neurons, but d_model is 384"),
        ({"n_random_pairing_self": 4}, "belongs to random-pairing, not to first-last"),
        ({"checkpoint_every": 6}, "checkpoint_every 6 is not a multiple of workspace_every 4"),
        ({"synapse_min_width": 500}, "synapse_min_width 500 is above d_model 384"),
        ({"neuron_select_type": "random-pairing", "n_random_pairing_self": 49}, "above the number"),
    ],
)
def test_wrong_settings_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message) as raised:
        preset("spec", **changes)
    assert "\n" not in str(raised.value)


def test_unknown_presets_are_named() -> None:
    with pytest.raises(ModelError, match="no preset 'huge'; use one of spec, cpu, tiny"):
        preset("huge")


def test_a_configuration_survives_its_dump() -> None:
    config = preset("cpu", workspace=False)
    assert configured(config.model_dump()) == config


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("tokens", 2048, "token id is outside 0..2047"),
        ("row", 16, "row is outside 0..15"),
        ("col", -1, "column is outside 0..23"),
        ("lexeme", False, "no lexeme"),
        ("edit_cell", 30, "cell is outside the batch"),
        ("edit_op", 3, "operation is unknown"),
        ("edit_token", 2048, "token is not below 2048"),
        ("edit_pointer", True, "copy from padding"),
    ],
)
def test_wrong_batches_are_refused(field: str, value: Any, message: str) -> None:
    config = preset("tiny")
    batch = random_batch(config)
    broken = Batch(**{**vars(batch), field: torch.full_like(getattr(batch, field), value)})
    with pytest.raises(ModelError, match=message):
        check_batch(broken, config)


def test_an_edit_without_a_new_lexeme_is_refused() -> None:
    config = preset("tiny")
    batch = random_batch(config)
    nothing = Batch(
        **{
            **vars(batch),
            "edit_token": torch.full_like(batch.edit_token, -1),
            "edit_pointer": torch.zeros_like(batch.edit_pointer),
        }
    )
    with pytest.raises(ModelError, match="neither in the vocabulary nor copyable"):
        check_batch(nothing, config)


def test_a_batch_moves_and_splits_whole() -> None:
    batch = random_batch(preset("tiny"))
    again = batch.to("cpu").select(torch.tensor([2, 0]))
    assert again.size == 2
    assert torch.equal(again.edit_pointer, batch.edit_pointer[[2, 0]])
    assert batch.select(torch.tensor([4])).targets().shape == (1, batch.cells + 1)
