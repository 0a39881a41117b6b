"""Training: exactly again, exactly on after a cut, from the champion on, and into the store."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_synthetic import CONFIG, LEARNED, learned_model, random_model

from memory.store import Store
from trainers.config import TrainerSettings
from trainers.errors import CheckpointError
from trainers.fractal.synthetic.gating import decide, saved_shares
from trainers.fractal.synthetic.model import load_model, save_model
from trainers.fractal.synthetic.train import train
from trainers.fractal.synthetic.versions import champion, train_version, version_of_round
from trainers.stage import StageContext, Stopped


class Cut(Exception):
    pass


def weights(model):
    return torch.cat([tensor.flatten() for tensor in model.networks.state_dict().values()])


def cut_after(steps):
    def on_step(step, loss):
        if step == steps:
            raise Cut

    return on_step


def test_the_same_seed_gives_the_same_weights(tmp_path):
    first, again, other = (
        train(CONFIG, seed, None, tmp_path / name) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert weights(first).equal(weights(again))
    assert not weights(first).equal(weights(other))


@pytest.mark.parametrize("steps", [3, 7, 11])
def test_a_training_that_was_cut_ends_with_the_same_weights(tmp_path, steps):
    whole = train(CONFIG, 1, None, tmp_path / "whole")
    with pytest.raises(Cut):
        train(CONFIG, 1, None, tmp_path / "cut", cut_after(steps))
    told = []
    went_on = train(CONFIG, 1, None, tmp_path / "cut", lambda step, loss: told.append(step))
    assert weights(whole).equal(weights(went_on))
    assert told[0] == 5 * (steps // 5) + 1


def test_what_another_training_left_is_not_gone_on_with(tmp_path):
    with pytest.raises(Cut):
        train(CONFIG, 1, None, tmp_path / "cut", cut_after(7))
    other = train(CONFIG, 2, None, tmp_path / "cut")
    assert weights(other).equal(weights(train(CONFIG, 2, None, tmp_path / "new")))
    (tmp_path / "broken").write_bytes(b"no tensors")
    assert weights(other).equal(weights(train(CONFIG, 2, None, tmp_path / "broken")))


def test_a_round_goes_on_from_the_champion_and_leaves_it_as_it_was(tmp_path):
    first = train(CONFIG, 1, None, tmp_path / "a")
    before = weights(first).clone()
    second = train(CONFIG, 1, first, tmp_path / "b")
    assert (first.steps, second.steps) == (12, 24)
    assert weights(first).equal(before)
    assert not weights(second).equal(before)


def test_of_a_champion_of_another_size_nothing_is_taken(tmp_path):
    other = random_model(LEARNED)
    assert train(CONFIG, 1, other, tmp_path / "a").steps == 12


def test_training_draws_nothing_from_the_global_generator(tmp_path):
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    train(CONFIG, 1, None, tmp_path / "a")
    assert torch.rand(3).equal(wanted)


def test_a_model_is_read_back_as_it_was_written(tmp_path):
    model = random_model()
    path = tmp_path / "model.safetensors"
    sha256 = save_model(model, path)
    again = load_model(path, sha256)
    assert weights(again).equal(weights(model))
    assert (again.network, again.difficulty, again.steps) == (model.network, model.difficulty, 0)


def test_a_damaged_or_missing_file_is_refused_with_the_remedy(tmp_path):
    path = tmp_path / "model.safetensors"
    sha256 = save_model(random_model(), path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="kent round fractal"):
        load_model(path, sha256)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_model(tmp_path / "none", sha256)


def test_the_gate_promotes_what_learned_over_random_weights_and_not_the_same_again():
    shares = saved_shares(learned_model(), LEARNED, seed=0)
    assert shares.shape == (LEARNED.validation_tasks,)
    assert ((shares >= 0) & (shares <= 1)).all()
    assert decide(shares, None, LEARNED, looks=1, seed=0).decision == "promoted"
    assert decide(shares, learned_model(), LEARNED, looks=1, seed=0).decision == "kept"
    none = np.zeros_like(shares)
    assert decide(none, None, LEARNED, looks=1, seed=0).decision == "kept"


def context_in(folder: Path, store: Store, stop=lambda: False) -> StageContext:
    now = store.current_round() or store.open_round(seed=1, config={}, code_version="0")
    run = store.begin_stage_run(now.id, "fractal", pid=None, pid_start=None)
    return StageContext(store, TrainerSettings(), folder, now.id, run.id, 1, stop_requested=stop)


def test_a_version_is_trained_once_a_round_and_the_next_goes_on_from_the_champion(tmp_path):
    with Store.open(tmp_path / "kent.db") as store:
        context = context_in(tmp_path, store)
        assert champion(context) is None
        made = train_version(context, CONFIG)
        assert (made.row.id, made.row.status, made.model.steps) == ("fractal-0001", "candidate", 12)
        assert train_version(context, CONFIG).row.id == version_of_round(context).row.id
        shares = saved_shares(made.model, CONFIG, 0)
        decision = decide(shares, None, CONFIG, looks=1, seed=0)
        store.promote(
            made.row.id, context.stage_run_id, decision="promoted", effect=decision.effect,
            p_value=decision.p_value, alpha=decision.alpha, looks=1, reason=decision.reason,
        )  # fmt: skip
        store.end_stage_run(context.stage_run_id, "done", metrics={})
        store.close_round(context.round_id, "done")
        again = context_in(tmp_path, store)
        assert champion(again).row.id == made.row.id
        second = train_version(again, CONFIG)
        assert (second.row.parent, second.model.steps) == (made.row.id, 24)
        left = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
        assert left == ["fractal-0001.safetensors", "fractal-0002.safetensors"]


def test_a_stop_ends_the_training_and_the_next_attempt_goes_on(tmp_path):
    asked = iter([False] * 7 + [True])
    with Store.open(tmp_path / "kent.db") as store:
        with pytest.raises(Stopped):
            train_version(context_in(tmp_path, store, lambda: next(asked)), CONFIG)
        steps = []
        made = train_version(
            context_in(tmp_path, store), CONFIG, lambda step, loss: steps.append(step)
        )
        assert steps[0] == 6
        whole = train(CONFIG, 1, None, tmp_path / "whole")
        assert weights(made.model).equal(weights(whole))
