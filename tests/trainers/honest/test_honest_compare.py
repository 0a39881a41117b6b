"""Comparisons of two runs: exact tests, clusters, and what so many items can show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.honest.compare import compare, least_difference, power_note


def test_mcnemar_counts_the_items_on_which_they_differ():
    now = {str(n): 1.0 for n in range(8)} | {"only now": 0.0}
    then = {str(n): float(n >= 6) for n in range(8)}
    found = compare(now, then)
    assert (found["wins"], found["losses"]) == (6, 0)
    assert found["p_value"] == pytest.approx(0.5**6)
    assert found["test"].startswith("mcnemar")
    assert found["difference"]["value"] == pytest.approx(0.75)
    assert found["difference"]["n"] == 8


def test_samples_of_one_problem_count_once():
    now = {f"p{n // 10}/{n}": 1.0 for n in range(40)}
    then = dict.fromkeys(now, 0.0)
    apart = compare(now, then)
    together = compare(now, then, clusters={key: key.partition("/")[0] for key in now})
    assert apart["p_value"] < 1e-9
    assert together["p_value"] == pytest.approx(0.5**4)
    assert together["difference"]["n"] == 4


def test_nothing_in_common_is_no_difference():
    found = compare({"a": 1.0}, {"b": 1.0})
    assert found["difference"] == {"value": None, "low": None, "high": None, "n": 0}
    assert found["p_value"] is None


@given(st.integers(50, 5000), st.floats(0.05, 0.6))
def test_more_items_show_smaller_differences(n, discordant):
    few, many = least_difference(n, discordant), least_difference(4 * n, discordant)
    assert many is not None
    assert 0 < many <= (few or discordant) <= discordant
    assert few is None or few / many < 2.6


def test_the_note_says_what_it_assumes():
    assert "were the two to differ on 20%" in power_note(200, 0.0)["told"]
    assert "cannot show any" in power_note(5, 0.1)["told"]
    # 270 problems for 5 points at about 11 % discordant pairs: the research page's figure.
    assert power_note(270, 0.11)["least_difference"] == pytest.approx(0.05, abs=0.006)
