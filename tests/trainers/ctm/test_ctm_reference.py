"""The fast CTM gives the textbook's values and gradients, whatever the configuration."""

from typing import Any

import pytest
import torch
from ctm_batches import random_batch

from trainers.ctm.config import preset
from trainers.ctm.losses import drawn_ticks, tick_weights, two_ticks
from trainers.ctm.model import ContinuousThoughtMachine
from trainers.ctm.reference import ReferenceCTM, ReferenceThoughts

DENSE = {"n_random_pairing_self": 0, "n_synch_out": 12, "n_synch_action": 9}


def compare(changes: dict[str, Any]) -> None:
    config = preset("tiny", vocab_size=64, **{"tick_weights": "ctm", **changes})
    batch = random_batch(config, edits=3)
    torch.manual_seed(1)
    fast = ContinuousThoughtMachine(config).double()
    with torch.no_grad():
        for decay in fast.core.sync.parameters():
            decay.uniform_(0, 0.5)
    reference = ReferenceCTM(fast)
    features = torch.randn(5, 30, config.d_model, dtype=torch.float64) * batch.valid[..., None]
    given, same = features.clone().requires_grad_(), features.clone().requires_grad_()

    thoughts = fast.reason(given, batch, analyse=True)
    loss = fast.loss_of(thoughts, batch, torch.Generator().manual_seed(2)).total
    expected = reference(same, batch)
    expected_loss = reference_loss(expected, config)

    torch.testing.assert_close(thoughts.locations, expected.locations.permute(2, 0, 1))
    torch.testing.assert_close(thoughts.certainty, expected.certainty.t())
    torch.testing.assert_close(thoughts.synchronisation, expected.synchronisation.permute(2, 0, 1))
    torch.testing.assert_close(loss, expected_loss)
    loss.backward()
    expected_loss.backward()
    torch.testing.assert_close(given.grad, same.grad, rtol=1e-6, atol=1e-12)
    found = dict(fast.named_parameters())
    for name, parameter in reference.named_parameters():
        if name in ("first", "second"):
            gradient = found[f"core.neurons.{name}"].grad.permute(1, 2, 0)
        else:
            gradient = found[f"grid.{name}" if name.startswith("embedding") else name].grad
        torch.testing.assert_close(gradient, parameter.grad, rtol=1e-6, atol=1e-12)


def reference_loss(found: ReferenceThoughts, config: Any) -> torch.Tensor:
    weights = tick_weights(config.tick_weights, config.iterations, found.location_loss)
    chosen = two_ticks(found.location_loss, found.certainty.t())
    linear, two = weights @ found.location_loss, found.location_loss.gather(0, chosen).mean(0)
    location = {"ctm": two, "mixed": (linear + two) / 2}.get(config.tick_weights, linear)
    if config.tick_weights not in ("ctm", "mixed"):
        draw = torch.Generator().manual_seed(2)
        chosen = drawn_ticks(weights, config.edit_ticks, len(location), draw)
    return (location + found.edit_loss.gather(0, chosen).mean(0)).mean()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"workspace": False},
        {"workspace_every": 4},
        {"workspace_every": 2, "iterations": 5},
        {"memory_length": 1},
        {"memory_length": 9},
        {"deep_nlms": False},
        {"synapse_depth": 1},
        {"neuron_select_type": "first-last", **DENSE},
        {"neuron_select_type": "random", **DENSE},
    ],
    ids=str,
)
def test_values_and_gradients_are_the_textbooks(changes: dict[str, Any]) -> None:
    compare(changes)


@pytest.mark.parametrize("kind", ["linear", "exponential", "uniform", "mixed"])
def test_every_weighting_of_ticks_is_the_textbooks(kind: str) -> None:
    compare({"tick_weights": kind})


@pytest.mark.parametrize(
    "changes",
    [
        {"checkpoint_every": 2},
        {"checkpoint_every": 4, "workspace_every": 2},
        {"checkpoint_every": 4, "workspace": False},
        {"checkpoint_every": 2, "workspace": False, "memory_length": 9},
        {"checkpoint_every": 3, "workspace": False, "memory_length": 1},
    ],
    ids=str,
)
def test_recomputed_segments_change_nothing(changes: dict[str, Any]) -> None:
    compare(changes)


def test_a_second_backward_gives_the_same_gradients() -> None:
    config = preset("tiny", vocab_size=64)
    batch = random_batch(config)
    model = ContinuousThoughtMachine(config)
    loss = model.loss(batch, torch.Generator().manual_seed(0)).total
    wanted = list(model.parameters())
    first = torch.autograd.grad(loss, wanted, retain_graph=True)
    second = torch.autograd.grad(loss, wanted)
    for one, two in zip(first, second, strict=True):
        torch.testing.assert_close(one, two)
