"""Training: goes on bit-exactly wherever it was cut, stops at a loss that is no number."""

import itertools
import math
from dataclasses import replace

import pytest
import torch

from trainers.ctm.checkpoint import checkpoints
from trainers.ctm.config import preset
from trainers.ctm.curriculum import curriculum, stage_filter
from trainers.ctm.data.dataset import Dataset
from trainers.ctm.optimiser import learning_rate
from trainers.ctm.recipe import Budget, Recipe
from trainers.ctm.training import CTMTrainer
from trainers.errors import CheckpointError, TrainerError

CONFIG = preset("tiny", grid_height=64, grid_width=48, iterations=2)
STAGES = tuple(
    stage.model_copy(update={"samples": 24, "iterations": 2 + n, "difficulty": (0.0, 1.0)})
    for n, stage in enumerate(curriculum("cpu"))
)
RECIPE = Recipe(STAGES, batch_size=8, one_cosine=True)


@pytest.fixture(scope="module")
def data(built):
    return Dataset(built)


class Killed(Exception):
    pass


def run_to(trainer: CTMTrainer, steps: int, *, die_at: int | None = None) -> None:
    def between(samples: int) -> None:
        if trainer.state.total == die_at:
            raise Killed

    while trainer.state.total < steps:
        trainer.train(Budget(steps=steps - trainer.state.total), between=between)
        if trainer.stage_done:
            trainer.next_stage()


def weights(trainer: CTMTrainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


def assert_same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> None:
    assert one.keys() == two.keys()
    assert all(torch.equal(value, two[name]) for name, value in one.items())


@pytest.fixture(scope="module")
def unbroken(data):
    trainer = CTMTrainer("ctm", CONFIG, data, RECIPE, seed=3)
    run_to(trainer, 7)
    return weights(trainer), trainer.state


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5, 6])
def test_a_run_that_was_cut_ends_with_the_same_weights(unbroken, data, tmp_path, cut):
    wanted, state = unbroken
    with pytest.raises(Killed):
        run_to(CTMTrainer("ctm", CONFIG, data, RECIPE, folder=tmp_path, seed=3), 7, die_at=cut)
    torch.manual_seed(99)  # what the world outside draws must not matter
    again = CTMTrainer("ctm", CONFIG, data, RECIPE, folder=tmp_path, seed=3)
    assert again.state.total == cut
    run_to(again, 7)
    assert_same(weights(again), wanted)
    assert replace(again.state, seconds=0) == replace(state, seconds=0)


def test_a_model_with_several_updates_a_step_goes_on_exactly_too(data, tmp_path):
    stages = tuple(stage.model_copy(update={"samples": 2}) for stage in STAGES)
    recipe = replace(RECIPE, stages=stages, batch_size=1, accumulate=2)
    whole = CTMTrainer("trm", CONFIG, data, recipe, seed=3)
    run_to(whole, 2)
    run_to(CTMTrainer("trm", CONFIG, data, recipe, folder=tmp_path, seed=3), 1)
    again = CTMTrainer("trm", CONFIG, data, recipe, folder=tmp_path, seed=3)
    if again.stage_done:
        again.next_stage()
    run_to(again, 2)
    assert_same(weights(again), weights(whole))


def test_an_average_of_the_weights_goes_on_exactly_too(data, tmp_path):
    recipe = replace(RECIPE, average=0.999)
    whole = CTMTrainer("trm", CONFIG, data, recipe, seed=3)
    run_to(whole, 3)
    run_to(CTMTrainer("trm", CONFIG, data, recipe, folder=tmp_path, seed=3), 2)
    again = CTMTrainer("trm", CONFIG, data, recipe, folder=tmp_path, seed=3)
    run_to(again, 3)
    assert_same(again.averaged.state_dict(), whole.averaged.state_dict())
    differ = [
        name
        for name, value in whole.averaged.state_dict().items()
        if not torch.equal(value, whole.model.state_dict()[name])
    ]
    assert differ
    plain = CTMTrainer("trm", CONFIG, data, RECIPE, seed=3)
    assert plain.averaged is plain.model


def test_steps_after_the_last_checkpoint_are_done_again(unbroken, data, tmp_path):
    wanted, _ = unbroken
    first = CTMTrainer("ctm", CONFIG, data, RECIPE, folder=tmp_path, seed=3)
    first.train(Budget(steps=2))
    first._step()  # killed here: nothing of this step is kept
    again = CTMTrainer("ctm", CONFIG, data, RECIPE, folder=tmp_path, seed=3)
    assert again.state.total == 2
    run_to(again, 7)
    assert_same(weights(again), wanted)


def test_accumulated_batches_make_one_step(data):
    recipe = replace(RECIPE, batch_size=4, accumulate=2)
    trainer = CTMTrainer("ctm", CONFIG, data, recipe, seed=3)
    trainer.train(Budget(steps=1))
    assert (trainer.state.total, trainer.state.samples, trainer.state.batch) == (1, 8, 2)


def test_a_batch_of_too_many_cells_is_computed_in_parts(data):
    every_tick = CONFIG.model_copy(update={"edit_ticks": STAGES[0].iterations})
    losses, made = [], []
    for most_cells in (RECIPE.most_cells, 200):
        trainer = CTMTrainer("ctm", every_tick, data, replace(RECIPE, most_cells=most_cells))
        losses.append(trainer.train(Budget(steps=2)))
        made.append((trainer.state.samples, trainer.state.step))
    assert losses[1] == pytest.approx(losses[0], rel=2e-3)  # each part means its own edits
    assert made[0] == made[1]


def test_a_loss_that_is_no_number_is_one_error_that_names_the_checkpoint(data, tmp_path):
    trainer = CTMTrainer("ctm", CONFIG, data, RECIPE, folder=tmp_path, seed=3)
    trainer.train(Budget(steps=2))
    with torch.no_grad():
        next(trainer.model.parameters()).fill_(math.nan)
    with pytest.raises(TrainerError, match=r"no number at step 2 .*step-000000002"):
        trainer.train(Budget(steps=1))
    assert [path.name for path in checkpoints(tmp_path)] == ["step-000000002"]
    good = CTMTrainer("ctm", CONFIG, data, RECIPE, folder=tmp_path, seed=3)
    assert all(bool(value.isfinite().all()) for value in weights(good).values())


def test_another_configuration_or_a_broken_file_is_refused(data, tmp_path):
    CTMTrainer("ctm", CONFIG, data, RECIPE, folder=tmp_path, seed=3).train(Budget(steps=1))
    with pytest.raises(CheckpointError, match="another seed"):
        CTMTrainer("ctm", CONFIG, data, RECIPE, folder=tmp_path, seed=4)
    (tmp_path / "step-000000001" / "model.safetensors").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="remove it to go on"):
        CTMTrainer("ctm", CONFIG, data, RECIPE, folder=tmp_path, seed=3)


def test_the_stages_raise_the_ticks_and_rehearse_what_came_before(data):
    trainer = CTMTrainer("ctm", CONFIG, data, RECIPE, seed=3)
    assert trainer.model.config.iterations == 2
    run_to(trainer, 3)
    assert trainer.state.stage == 1
    assert trainer.model.config.iterations == 3
    assert stage_filter(STAGES, 2).earlier == ("syntax", "simple_logic")
    assert [stage.iterations for stage in curriculum("gpu")] == [16, 32, 48, 64]
    assert [stage.steps(128) for stage in curriculum("gpu")] == [3125, 4688, 7813, 23438]


def test_the_rate_warms_up_and_falls_to_the_lowest():
    rates = [learning_rate(step, 100, 1.0, 0.1) for step in range(101)]
    assert rates[:10] == pytest.approx([0.1 * (n + 1) for n in range(10)])
    assert all(a >= b for a, b in itertools.pairwise(rates[9:]))
    assert rates[100] == pytest.approx(0.1)
    assert learning_rate(1999, 100_000, 1.0, 0.0) == 1.0


def test_one_cosine_rises_once_and_falls_over_all_stages(data):
    trainer = CTMTrainer("ctm", CONFIG, data, RECIPE, seed=3)
    rates = []
    for stage in range(len(STAGES)):
        trainer.train(Budget(steps=1))
        rates.append(trainer._optimiser.param_groups[0]["lr"])
        trainer.state.step = trainer.stage.steps(RECIPE.samples_per_step)
        trainer.next_stage()
    assert trainer.finished
    assert rates[1] > rates[2] > rates[3] > RECIPE.lowest * STAGES[-1].lr
    again = CTMTrainer("ctm", CONFIG, data, replace(RECIPE, one_cosine=False), seed=3)
    again.next_stage()
    again.train(Budget(steps=1))
    assert again._optimiser.param_groups[0]["lr"] == pytest.approx(STAGES[1].lr)
