"""A version's reading: fitted thresholds cost little, probabilities mean what they say."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainers import statistics
from trainers.ctm.calibration import AS_IT_IS, fit, group, log_odds, mapped
from trainers.ctm.config import preset
from trainers.ctm.data.dataset import Dataset
from trainers.ctm.evaluate import evaluate, for_fitting, held_out
from trainers.ctm.figures import early_figures, tick_gain
from trainers.ctm.measure import measure
from trainers.ctm.models import build
from trainers.ctm.reading import (
    LEFT_ALONE,
    MOST_LOST,
    THRESHOLDS,
    Reading,
    caution,
    fit_reading,
    lowest,
)
from trainers.ctm.repair import Repairer


@pytest.fixture(scope="module")
def data(built):
    return Dataset(built)


@pytest.fixture(scope="module")
def repairer(data):
    torch.manual_seed(0)
    shape = preset(
        "tiny", iterations=4, vocab_size=data.tokenizer.size, grid_height=64, grid_width=48
    )
    return Repairer(build("ctm", shape))


def test_a_fitted_threshold_costs_at_most_a_point_where_it_was_fitted(repairer, data):
    samples = for_fitting(data, 6, 0)
    reading = fit_reading(repairer, samples, data)
    careful = replace(repairer, least=reading.least)
    whole = evaluate(careful, samples, data)
    assert reading.threshold in (None, *THRESHOLDS)
    early = evaluate(replace(careful, threshold=reading.threshold), samples, data)
    assert early.fixed.mean() >= whole.fixed.mean() - MOST_LOST
    assert Reading.from_json(json.loads(json.dumps(reading.to_json()))) == reading


def test_a_repair_that_is_too_unlikely_is_taken_back(repairer, data):
    samples = held_out(data, "validation", 8, 0)
    bold = evaluate(repairer, samples, data)
    never = evaluate(replace(repairer, least=1.1), samples, data)
    parse = ~never.fails
    assert not never.changed[parse].any()
    assert never.fixed[parse].tolist() == (never.edits == 0)[parse].tolist()
    middle = float(np.median(bold.share[bold.changed])) if bold.changed.any() else 0.5
    some = evaluate(replace(repairer, least=middle), samples, data)
    kept = bold.changed & (bold.fails | (bold.share >= middle))
    assert some.changed.tolist() == kept.tolist()
    assert (some.fixed[kept] == bold.fixed[kept]).all()


@given(
    st.lists(
        st.tuples(st.booleans(), st.booleans(), st.floats(0.01, 0.99)), min_size=1, max_size=80
    )
)
def test_caution_leaves_the_wanted_share_of_sound_programs_alone(rows):
    sound, changed, probability = (np.array(column) for column in zip(*rows, strict=True))
    told = SimpleNamespace(
        bug_class=["clean" if one else "syntax" for one in sound],
        changed=changed,
        share=probability,
    )
    least = caution(told)
    touched = sound & changed & (probability >= least)
    assert touched.sum() <= (1 - LEFT_ALONE) * sound.sum()
    lower = sound & changed & (probability >= np.nextafter(least, 0))
    assert least == 0 or lower.sum() > (1 - LEFT_ALONE) * sound.sum()


def test_a_model_without_ticks_has_no_threshold(data):
    torch.manual_seed(0)
    shape = preset(
        "tiny", iterations=4, vocab_size=data.tokenizer.size, grid_height=64, grid_width=48
    )
    reading = fit_reading(Repairer(build("backbone", shape)), for_fitting(data, 4, 0), data)
    assert reading.threshold is None
    assert fit_reading(Repairer(build("ctm", shape)), [], data) == Reading()


def test_what_is_fitted_on_is_not_what_the_gate_sees(data):
    fitted = {sample.key for sample in for_fitting(data, 15, 0)}
    assert len(fitted) == 15
    assert not fitted & {sample.key for sample in held_out(data, "validation", 15, 0)}


def test_stopping_at_once_spends_two_ticks_of_each_question(repairer, data):
    samples = held_out(data, "validation", 5, 0)
    found = measure(repairer, Reading(threshold=-1.0), samples, data, tick_samples=3).figures
    assert found["ticks_spent"].value == pytest.approx(2 / 4)
    assert found["fix_accuracy_early"].n == found["fix_accuracy"].n
    never = measure(repairer, Reading(threshold=1.1), samples, data).figures
    assert never["ticks_spent"].value == pytest.approx(1)
    assert "ticks_spent" not in measure(repairer, Reading(), samples, data).figures


@given(st.integers(0, len(THRESHOLDS)))
def test_the_lowest_threshold_that_is_enough_is_found(first):
    found = lowest(lambda value: value in THRESHOLDS[first:])
    assert found == (THRESHOLDS[first] if first < len(THRESHOLDS) else None)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_calibration_keeps_the_order_and_stays_a_probability(values):
    given = np.array(sorted(values))
    maps = ((1.0, 0.0), (1.0, 0.0), (0.4, -1.5), (1.0, 0.0))
    right = mapped(given, np.full(len(given), 2), maps)
    assert ((right >= 0) & (right <= 1)).all()
    assert (np.diff(right) >= 0).all()
    assert mapped(given, np.zeros(len(given), int), maps) == pytest.approx(given, abs=1e-5)


def test_each_group_is_calibrated_by_itself_where_groups_differ():
    rng = np.random.default_rng(0)
    honest, changed = rng.uniform(0.05, 0.95, 1200), rng.random(1200) < 0.5
    groups = group(changed, np.zeros(1200, bool))
    odds, fixed = log_odds(honest), rng.random(1200) < honest
    said = 1 / (1 + np.exp(-np.where(changed, 3 * odds, odds + 2)))
    maps = fit(said, groups, fixed)
    assert maps[2] == pytest.approx((1 / 3, 0), abs=0.2)
    assert maps[0] == pytest.approx((1, -2), abs=0.4)
    programs = [str(number) for number in range(1200)]
    labels = fixed.astype(float)
    assert statistics.ece(said, labels, programs).value > 0.1
    assert statistics.ece(mapped(said, groups, maps), labels, programs).value < 0.06


def test_what_is_calibrated_already_is_left_or_hardly_changed():
    rng = np.random.default_rng(1)
    honest = rng.uniform(0.05, 0.95, 300)
    fixed, none = rng.random(300) < honest, np.zeros(300, int)
    right = mapped(honest, none, fit(honest, none, fixed))
    assert np.abs(right - honest).mean() < 0.05
    assert fit(honest[:0], none[:0], fixed[:0]) == AS_IT_IS


def test_a_version_that_knew_two_groups_is_still_read():
    old = {"threshold": 0.5, "changed": [0.4, -1.5], "kept": [1.0, 0.2], "least": 0.1}
    found = Reading.from_json(old)
    assert found.maps == ((1.0, 0.2), (1.0, 0.2), (0.4, -1.5), (0.4, -1.5))
    assert (found.threshold, found.least) == (0.5, 0.5)


def test_taking_back_after_the_fact_is_what_a_careful_repairer_does(repairer, data):
    samples = held_out(data, "validation", 8, 0)
    bold = evaluate(repairer, samples, data)
    least = float(np.median(bold.share)) if len(bold.share) else 0.5
    careful = evaluate(replace(repairer, least=least), samples, data)
    derived = bold.careful(least)
    for name in ("fixed", "missing", "changed"):
        assert getattr(derived, name).tolist() == getattr(careful, name).tolist()
    assert derived.probability == pytest.approx(careful.probability)


def test_the_gain_of_ticks_is_not_that_of_the_best_by_chance():
    rng = np.random.default_rng(0)
    noise = [tick_gain(rng.random((12, 200)) < 0.5, seed).value for seed in range(25)]
    # Read where it is chosen, the best of twelve ticks would be some 0.06 above the first.
    assert abs(np.mean(noise)) < 0.035
    rising = np.arange(12)[:, None] + rng.random((12, 200)) * 12 > 12
    assert tick_gain(rising, 0).value == pytest.approx(11 / 12, abs=0.08)
    assert tick_gain(rising[:, :1], 0).value is None


def test_early_figures_are_paired(repairer, data):
    samples = held_out(data, "validation", 5, 0)
    whole = evaluate(repairer, samples, data)
    found = early_figures(whole, whole)
    assert found["fix_accuracy_early_difference"].value == 0
    assert found["ticks_spent"].value == 1
