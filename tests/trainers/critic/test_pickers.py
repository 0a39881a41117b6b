"""Mining, signals, blends and the pickers side by side."""

import numpy as np
import torch
from test_training import synthetic

from trainers.critic.blend import BLENDS, fit_blends
from trainers.critic.mining import mined_weights
from trainers.critic.pickers import PICKERS, gap_figures, picker_figures, rankings
from trainers.critic.signals import Executed, signals
from trainers.critic.survey import Surveyed


def survey_of(problem_id, normals, logprobs, tokens=None, passed=None):
    n = len(normals)
    return Surveyed(
        problem_id=problem_id,
        split="train",
        keys=[(i, i) for i in range(n)],
        programs=[f"{problem_id}{i}" for i in range(n)],
        normals=normals,
        feature_keys=[""] * n,
        features_of=[""] * n,
        scalars=np.zeros((n, 0)),
        logprobs=np.array(logprobs, dtype=float),
        tokens=np.array(tokens or [10.0] * n),
        verdicts=["passed" if ok else "failed" for ok in passed or [False] * n],
    )


def test_mining_weighs_the_failures_that_look_best_and_the_passes_that_look_worst():
    data = synthetic(1, 8, 0)
    data = data.take(np.arange(8))
    passed = torch.tensor([1.0, 1, 1, 1, 0, 0, 0, 0])
    data.passed.copy_(passed)
    scores = np.array([5.0, 4, 3, -9, 9, 1, 0, -1])
    weights = mined_weights(data, scores, share=0.25, weight=3.0)
    assert weights.tolist() == [1, 1, 1, 3, 3, 1, 1, 1]
    data.passed.copy_(torch.ones(8))
    assert mined_weights(data, scores, share=0.25, weight=3.0).tolist() == [1] * 8


def test_signals_are_those_of_each_problem_by_itself():
    surveys = [
        survey_of("a", ["x", "x", "y"], [-5, -10, -20], [10, 10, 10]),
        survey_of("b", ["z"], [-1], [1]),
    ]
    executed = {
        "a": Executed([("1", "2"), ("1", "2"), ("1", "!E")], np.array([1.0, 0.0, 1.0])),
        "b": Executed([], np.array([np.nan])),
    }
    found = signals(surveys, executed)
    np.testing.assert_allclose(found["cluster"], [2 / 3, 2 / 3, 1 / 3, 1])
    np.testing.assert_allclose(found["agreement"], [5 / 6, 5 / 6, 1 / 2, 1])
    np.testing.assert_allclose(found["majority"], [2 / 3, 2 / 3, 1 / 3, 1])
    np.testing.assert_allclose(found["logprob"], [-0.5, -1, -2, -1])
    assert found["visible"].tolist() == [1, 0, 1, 1]


def test_where_no_test_may_be_run_no_picker_uses_one():
    executed = {"a": Executed([("1",), ("2",)], np.full(2, np.nan))}
    found = signals([survey_of("a", ["x", "y"], [-1, -2])], executed)
    ranked = rankings(found | {"logit": np.array([0.0, 1.0])}, {})
    assert "visible" not in ranked
    assert {"random", "logprob", "majority", "critic", "agreement"} <= ranked.keys()


def noisy_signals(data, seed, strength):
    """Agreement that tells something of the outcome; a logit that tells less."""
    random = np.random.default_rng(seed)
    passed = data.outcomes
    cluster = np.clip(0.3 + strength * passed + 0.2 * random.normal(size=len(passed)), 0.05, 1)
    return {
        "logit": passed + 2 * random.normal(size=len(passed)),
        "cluster": cluster,
        "log_cluster": np.log(cluster),
        "agreement": cluster,
        "visible": np.where(random.random(len(passed)) < 0.8, passed, 1.0),
        "logprob": random.normal(size=len(passed)),
        "brevity": random.normal(size=len(passed)),
        "majority": random.random(len(passed)),
    }


def test_a_blend_is_better_than_its_parts_on_problems_that_it_never_saw():
    train_set, validation, test = (
        synthetic(n, 8, i, name=f"s{i}") for i, n in enumerate((150, 60, 300))
    )
    told = [noisy_signals(d, i, 0.25) for i, d in enumerate((train_set, validation, test))]
    blends = fit_blends(train_set, told[0], validation, told[1])
    assert blends.keys() == BLENDS.keys()
    ranked = rankings(told[2], blends)
    figures = picker_figures(test, ranked, 0)
    gaps = gap_figures(test, ranked, 0)
    assert tuple(figures) == tuple(gaps) == PICKERS
    assert gaps["random"].value == 0
    assert gaps["oracle"].value == 1
    assert gaps["critic_agreement"].value > max(gaps["critic"].value, gaps["agreement"].value)
    assert gaps["critic_agreement_visible"].value > gaps["critic_agreement"].value
    assert figures["random"].value < figures["critic"].value < figures["oracle"].value


def test_without_a_run_test_there_is_no_blend_of_it():
    train_set, validation = synthetic(40, 6, 0), synthetic(20, 6, 1)
    told = [noisy_signals(d, 0, 0.2) for d in (train_set, validation)]
    for one in told:
        one["visible"] = np.full(len(one["logit"]), np.nan)
    blends = fit_blends(train_set, told[0], validation, told[1])
    assert blends.keys() == {"critic_agreement"}
    seen = torch.zeros(3, 5)
    assert torch.allclose(blends["critic_agreement"].probability(seen), torch.tensor(0.5), atol=0.5)


def test_where_no_likelihood_is_told_the_blends_do_without():
    train_set, validation = synthetic(40, 6, 0), synthetic(20, 6, 1)
    told = [noisy_signals(d, 0, 0.2) for d in (train_set, validation)]
    for one in told:
        one["logprob"] = np.full(len(one["logit"]), np.nan)
    blends = fit_blends(train_set, told[0], validation, told[1])
    assert blends.keys() == BLENDS.keys()
    assert all("logprob" not in blend.signals for blend in blends.values())
    assert "critic_agreement" in rankings(told[1], blends)
