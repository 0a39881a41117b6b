"""The head: learns to rank, repeats by seed, is saved and loaded, picks without peeking."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from trainers.config import CriticConfig
from trainers.critic.evaluate import critic_figures, no_critic_figures, score, score_held_out
from trainers.critic.examples import Examples
from trainers.critic.mining import mined_weights
from trainers.critic.model import (
    CriticSpec,
    Standardiser,
    load_critic,
    save_critic,
)
from trainers.critic.ranking import gains, oracle, picked, rates
from trainers.critic.solver import MIXES, Solver
from trainers.critic.train import PENALTIES, SECOND, fold_of, train
from trainers.errors import CheckpointError
from trainers.platt import calibrate, reliability

HIDDEN, FACTS = 12, ("a", "b")
SPEC = CriticSpec("scripted/1", "visible1/v1", "tiny", "mean", HIDDEN, FACTS)
CONFIG = CriticConfig(epochs=30)


def synthetic(problems: int, samples: int, seed: int, signal: float = 2.0, name="p") -> Examples:
    """Samples whose first feature tells whether they passed, under a shift of each problem."""
    random = np.random.default_rng(seed)
    passed = (random.random((problems, samples)) < random.random((problems, 1))).astype(float)
    inputs = random.normal(size=(problems, samples, HIDDEN + len(FACTS)))
    inputs[..., 0] += signal * passed + random.normal(size=(problems, 1))
    inputs[..., HIDDEN] = np.nan
    n = problems * samples
    return Examples(
        problem_ids=[f"{name}/{i}" for i in range(problems)],
        group=torch.arange(problems).repeat_interleave(samples),
        inputs=torch.tensor(inputs.reshape(n, -1), dtype=torch.float32),
        passed=torch.tensor(passed.reshape(n), dtype=torch.float32),
        normals=[str(i) for i in range(n)],
        weights=torch.ones(n),
    )


@pytest.fixture(scope="module")
def trained():
    return train(synthetic(80, 8, 0), synthetic(60, 8, 1, name="v"), SPEC, CONFIG)


def test_a_trained_critic_beats_random_picking_on_unseen_problems(trained):
    figures = critic_figures(score(trained.critic, synthetic(200, 8, 2, name="t")), seed=0)
    assert figures["auc_within_problem"].low > 0.75
    assert figures["verifier_pass1"].value > figures["baseline_pass1"].high
    assert 0.3 < figures["gap_closed"].low < figures["gap_closed"].high < 1
    assert figures["ece"].value < 0.1
    assert figures["verifier_pass1"].n == 200
    assert figures["ece"].n == 1600


def test_the_same_data_give_the_same_critic_to_the_bit(trained):
    torch.set_num_threads(2)
    again = train(synthetic(80, 8, 0), synthetic(60, 8, 1, name="v"), SPEC, CONFIG)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    inputs = synthetic(5, 4, 9).inputs
    assert torch.equal(again.critic.score(inputs), trained.critic.score(inputs))
    assert again.critic.heads["fold0"].weight.equal(trained.critic.heads["fold0"].weight)


def test_a_head_is_the_minimum_of_its_loss():
    data = synthetic(30, 6, 0)
    inputs = Standardiser.fit(data.inputs, HIDDEN)(data.inputs)
    solver = Solver(data, inputs, "pointwise+pairwise", balanced=False)
    solver.solve(0.01, 500)
    weight, offset = solver._weight.detach(), solver._offset.detach()
    best = _loss_of(data, inputs, weight, offset, 0.01)
    random = torch.Generator().manual_seed(0)
    for size in (0.01, 0.1, 1.0):
        step = size * torch.randn(inputs.shape[1], generator=random, dtype=torch.double)
        moved = _loss_of(
            data, inputs, solver._weight.detach() + step, solver._offset.detach(), 0.01
        )
        assert moved > best


def _loss_of(data, inputs, weight, offset, penalty):
    """The loss as the words say it, problem by problem."""
    logits = inputs.double() @ weight + offset
    entropies, pairs = [], []
    for rows in data.rows:
        own, passed = logits[rows], data.passed[rows].double()
        entropies.append(binary_cross_entropy_with_logits(own, passed))
        gaps = [softplus(lost - won) for won in own[passed == 1] for lost in own[passed == 0]]
        if gaps:
            pairs.append(torch.stack(gaps).mean())
    regular = penalty * weight.square().sum() / 2
    return torch.stack(entropies).mean() + torch.stack(pairs).mean() + regular


def test_features_that_tell_nothing_close_no_gap():
    validation, test = synthetic(60, 8, 1, 0.0, "v"), synthetic(300, 8, 2, 0.0, "t")
    trained = train(synthetic(80, 8, 0, 0.0), validation, SPEC, CONFIG)
    figures = critic_figures(score(trained.critic, test), seed=0)
    assert figures["gap_closed"].low < 0 < figures["gap_closed"].high
    held_out = critic_figures(score_held_out(trained.critic, validation), seed=0)
    chosen_on = critic_figures(score(trained.critic, validation), seed=0)
    assert held_out["verifier_pass1"].value <= chosen_on["verifier_pass1"].value


def test_each_validation_problem_is_scored_by_the_head_that_the_others_chose():
    validation = synthetic(40, 6, 5, name="v")
    changed = 0
    base = train(synthetic(40, 6, 4), validation, SPEC, CONFIG)
    # Turning one half's labels round changes which head scores the other half, never its own.
    for fold in (0, 1):
        inside = torch.tensor([fold_of(id) == fold for id in validation.problem_ids])
        passed = torch.where(inside[validation.group], 1 - validation.passed, validation.passed)
        turned = replace(validation, passed=passed)
        other = train(synthetic(40, 6, 4), turned, SPEC, CONFIG)
        own, rest = f"fold{fold}", f"fold{1 - fold}"
        assert torch.equal(base.critic.heads[own].weight, other.critic.heads[own].weight)
        changed += not torch.equal(
            base.critic.logits(validation.inputs, rest),
            other.critic.logits(validation.inputs, rest),
        )
    assert changed


def test_a_saved_critic_scores_the_same(tmp_path, trained):
    path = tmp_path / "c.safetensors"
    digest = save_critic(trained.critic, path)
    loaded = load_critic(path, digest)
    inputs = synthetic(5, 4, 9).inputs
    assert loaded.spec == SPEC
    assert torch.equal(loaded.score(inputs), trained.critic.score(inputs))
    assert loaded.heads.keys() == trained.critic.heads.keys()


def test_a_changed_missing_or_foreign_checkpoint_is_refused(tmp_path, trained):
    path = tmp_path / "c.safetensors"
    digest = save_critic(trained.critic, path)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_critic(tmp_path / "absent.safetensors", digest)
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(CheckpointError, match="the store says"):
        load_critic(path, digest)
    path.write_bytes(b"not a checkpoint")
    from memory.files import sha256_file

    with pytest.raises(CheckpointError, match="cannot be read as a critic"):
        load_critic(path, sha256_file(path))


def test_unknown_and_constant_features_say_nothing():
    inputs = torch.tensor([[1.0, 5.0, float("nan")], [3.0, 5.0, float("nan")]])
    standard = Standardiser.fit(inputs, 2)(inputs)
    assert torch.equal(standard[:, 1:], torch.zeros(2, 2))
    torch.testing.assert_close(standard[:, 0] * 2**0.5, torch.tensor([-1.0, 1.0]))


def test_ties_are_broken_by_lot_whatever_passed():
    rows = [np.arange(3)]
    for passed in itertools.product([0.0, 1.0], repeat=3):
        outcomes = np.array(passed)
        assert picked(np.zeros(3), outcomes, rows)[0] == pytest.approx(outcomes.mean())
        assert picked(np.array([1.0, 1.0, 0.0]), outcomes, rows)[0] == outcomes[:2].mean()
        assert picked(np.array([0.0, 2.0, 1.0]), outcomes, rows)[0] == outcomes[1]


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=2, max_size=6))
def test_the_smoothed_gain_is_the_mean_over_all_subsets(samples):
    scores = np.array([float(score) for score, _ in samples])
    passed = np.array([float(ok) for _, ok in samples])
    n = len(samples)
    sizes = []
    for k in range(2, n + 1):
        best = [
            passed[[i for i in subset if scores[i] == max(scores[j] for j in subset)]].mean()
            for subset in itertools.combinations(range(n), k)
        ]
        sizes.append(np.mean(best))
    (found,) = gains(scores, passed, [np.arange(n)])
    assert found == pytest.approx(np.mean(sizes) - passed.mean())


def test_figures_without_a_critic_still_tell_what_selection_could_win():
    data = synthetic(30, 4, 0)
    figures = no_critic_figures(data, 0)
    passed = data.passed.numpy()
    assert figures["baseline_pass1"].value == pytest.approx(rates(passed, data.rows).mean())
    assert figures["oracle_passN"].value == pytest.approx(oracle(passed, data.rows).mean())
    assert figures["verifier_pass1"].value is None


def test_calibration_keeps_the_order_and_brings_the_mean_to_the_rate():
    logits = torch.linspace(-8, 12, 200)
    passed = (torch.arange(200) % 4 == 0).float()
    slope, shift = calibrate(logits, passed)
    assert slope > 0
    assert torch.sigmoid(slope * logits + shift).mean() == pytest.approx(0.25, abs=0.01)


def test_training_without_validation_problems_keeps_the_most_regularised_head():
    empty = synthetic(1, 2, 0)
    nothing = empty.take(np.empty(0, dtype=np.int64))
    trained = train(synthetic(20, 4, 0), nothing, SPEC, CONFIG)
    assert trained.chosen.key == (max(PENALTIES), max(SECOND))
    assert trained.gain == 0.0


@pytest.mark.parametrize("loss", MIXES)
def test_every_mix_of_losses_learns_to_rank(loss):
    config = CriticConfig(epochs=60, loss=loss)
    trained = train(synthetic(80, 8, 0), synthetic(60, 8, 1, name="v"), SPEC, config)
    figures = critic_figures(score(trained.critic, synthetic(200, 8, 2, name="t")), seed=0)
    assert figures["auc_within_problem"].low > 0.75


def test_duplicates_weigh_as_much_as_they_are_many():
    data = synthetic(30, 4, 3)
    rows = np.concatenate([np.repeat(own, 1 + own % 3) for own in data.rows])
    repeated = data.take(rows)
    distinct = repeated.distinct()
    assert distinct.weights.sum() == len(rows)
    assert len(distinct.passed) == len(data.passed)
    for loss in MIXES:
        standard = Standardiser.fit(repeated.inputs, HIDDEN)
        both = [
            Solver(one, standard(one.inputs), loss, balanced=True) for one in (repeated, distinct)
        ]
        first, second = (solver.solve(0.01, 300).weight for solver in both)
        torch.testing.assert_close(first, second, rtol=0, atol=2e-3)


def test_a_train_logit_does_not_know_its_own_problem():
    data, validation = synthetic(40, 6, 0), synthetic(20, 6, 1, name="v")
    base = train(data, validation, SPEC, CONFIG)
    turned = data.passed.clone()
    turned[data.rows[7]] = 1 - turned[data.rows[7]]
    other = train(replace(data, passed=turned), validation, SPEC, CONFIG)
    assert base.chosen.key == other.chosen.key
    own = data.rows[7]
    # The second step learned from what the first says of other problems, which did see this one:
    # that may stretch all of its logits alike, but tells nothing of its samples.
    first, second = base.train_logits[own], other.train_logits[own]
    assert np.corrcoef(first, second)[0, 1] > 0.999
    learned = base.critic.logits(data.inputs).numpy()[own]
    unlearned = other.critic.logits(data.inputs).numpy()[own]
    assert np.corrcoef(learned, unlearned)[0, 1] < 0.999


@pytest.mark.parametrize(("hidden", "facts"), [(HIDDEN, ()), (0, FACTS)])
def test_a_critic_of_hidden_states_or_facts_alone_learns_too(hidden, facts):
    def cut(data):
        inputs = data.inputs[:, :HIDDEN] if hidden else data.inputs[:, [0, HIDDEN]]
        return replace(data, inputs=inputs)

    spec = CriticSpec("scripted/1", "visible1/v1", "tiny", "mean", hidden, facts)
    sets = synthetic(80, 8, 0), synthetic(60, 8, 1, name="v"), synthetic(100, 8, 2, name="t")
    train_set, validation, test = map(cut, sets)
    trained = train(train_set, validation, spec, CONFIG)
    assert critic_figures(score(trained.critic, test), seed=0)["auc_within_problem"].low > 0.7
    assert trained.train_logits is not None
    assert len(trained.train_logits) == len(train_set.passed)


def test_hard_samples_pull_the_head_their_way():
    data, validation = synthetic(60, 8, 0), synthetic(30, 8, 1, name="v")
    scores = data.inputs[:, 1].numpy().astype(float)  # a champion that ranks by what means nothing
    weights = mined_weights(data, scores, share=0.25, weight=8.0)
    plain = train(data, validation, SPEC, CONFIG).critic
    mined = train(replace(data, weights=weights), validation, SPEC, CONFIG).critic
    assert mined.heads["final"].weight[1] < plain.heads["final"].weight[1]


def test_the_reliability_curve_is_of_all_samples_and_honest_for_a_calibrated_score():
    random = np.random.default_rng(0)
    said = random.random(5000)
    passed = (random.random(5000) < said).astype(float)
    curve = reliability(said, passed)
    assert sum(bin_["seen"]["n"] for bin_ in curve) == 5000
    assert all(abs(bin_["said"] - bin_["seen"]["value"]) < 0.08 for bin_ in curve)
    assert reliability(np.empty(0), np.empty(0)) == []
