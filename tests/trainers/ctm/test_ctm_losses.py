"""The loss: weights of ticks, any correct edit, samples' weights, calibration."""

from typing import Any

import pytest
import torch
from ctm_batches import random_batch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.ctm.batch import Batch
from trainers.ctm.config import preset
from trainers.ctm.losses import drawn_ticks, location_losses, tick_weights, two_ticks
from trainers.ctm.model import ContinuousThoughtMachine

SMALL = preset("tiny", vocab_size=64)


@settings(deadline=None)
@given(
    kind=st.sampled_from(["linear", "exponential", "uniform", "ctm", "mixed"]),
    ticks=st.integers(1, 64),
)
def test_weights_of_ticks_sum_to_one_and_never_fall(kind: Any, ticks: int) -> None:
    weights = tick_weights(kind, ticks, torch.zeros((), dtype=torch.float64))
    assert float(weights.sum()) == pytest.approx(1)
    assert bool((weights.diff() >= 0).all())


def test_ticks_are_drawn_by_their_weights() -> None:
    weights = tick_weights("linear", 8, torch.zeros(()))
    ticks = drawn_ticks(weights, 2, 20_000, torch.Generator().manual_seed(0))
    shares = ticks.flatten().bincount(minlength=8) / ticks.numel()
    torch.testing.assert_close(shares, weights, atol=0.01, rtol=0)


def test_any_correct_location_counts() -> None:
    logits = torch.log(torch.tensor([[[0.2, 0.3, 0.4, 0.1]]]))
    targets = torch.tensor([[True, False, True, False]])
    assert float(location_losses(logits, targets)) == pytest.approx(-torch.tensor(0.6).log().item())


def test_two_ticks_are_the_best_and_the_most_certain() -> None:
    losses = torch.tensor([[3.0, 1.0], [1.0, 2.0], [2.0, 3.0]])
    certainty = torch.tensor([[0.1, 0.9], [0.2, 0.3], [0.8, 0.1]])
    assert two_ticks(losses, certainty).tolist() == [[1, 0], [2, 0]]


def _loss(batch: Batch, **changes: Any) -> Any:
    torch.manual_seed(0)
    model = ContinuousThoughtMachine(preset("tiny", vocab_size=64, **changes)).double()
    return model.loss(batch, torch.Generator().manual_seed(1))


def test_the_loss_is_the_weighted_mean_of_the_samples() -> None:
    batch = random_batch(SMALL)
    weight = torch.tensor([1.0, 0.0, 2.0, 0.5, 0.0])
    weighted = Batch(**{**vars(batch), "weight": weight})
    plain, found = _loss(batch), _loss(weighted)
    torch.testing.assert_close(plain.per_sample, found.per_sample)
    wanted = (plain.per_sample * weight).sum() / weight.sum()
    torch.testing.assert_close(found.total.detach(), wanted)
    torch.testing.assert_close(found.total.detach(), found.location + found.operation + found.token)


def test_clean_programs_only_have_a_location() -> None:
    batch = random_batch(SMALL).select(torch.tensor([0]))  # the first one is clean
    found = _loss(batch)
    assert float(found.operation) == float(found.token) == 0
    assert float(found.location) > 0
    assert bool(batch.targets()[0, -1])


def test_an_edit_that_does_not_count_changes_nothing() -> None:
    batch = random_batch(SMALL)
    other = torch.where(batch.edit_valid, batch.edit_cell, 0)
    changed = Batch(
        **{
            **vars(batch),
            "edit_cell": other,
            "edit_token": torch.where(batch.edit_valid, batch.edit_token, -1),
            "edit_op": torch.where(batch.edit_valid, batch.edit_op, 0),
            "edit_pointer": batch.edit_pointer & batch.edit_valid[..., None],
        }
    )
    torch.testing.assert_close(_loss(batch).per_sample, _loss(changed).per_sample)


def test_two_edits_of_one_cell_count_its_probability_once() -> None:
    batch = random_batch(SMALL)
    twice = batch.edit_cell[:, :1].expand(-1, 2)
    targets = Batch(**{**vars(batch), "edit_cell": twice}).targets()
    assert int(targets[1].sum()) == 1


def test_calibration_adds_its_part() -> None:
    batch = random_batch(SMALL)
    without, with_it = _loss(batch), _loss(batch, calibration=0.5)
    assert float(with_it.calibration) > 0
    torch.testing.assert_close(
        with_it.total.detach(), without.total.detach() + 0.5 * with_it.calibration
    )


def test_success_is_the_probability_of_the_correct_edits() -> None:
    batch = random_batch(SMALL)
    torch.manual_seed(0)
    model = ContinuousThoughtMachine(preset("tiny", vocab_size=64, iterations=1)).double()
    found, thoughts = model.loss(batch), model(batch)
    places = thoughts.locations[0].softmax(-1)
    torch.testing.assert_close(found.success[0], places[0, -1])
    assert bool(((found.success > 0) & (found.success < 1)).all())
    located = batch.targets().gather(1, places.argmax(-1, keepdim=True)).squeeze(1)
    assert torch.equal(found.located, located)
