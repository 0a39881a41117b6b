"""Numbers, sparklines and axes for any input."""

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kent.report.sparkline import BLOCKS, sparkline
from kent.report.svg import Drawing, Point, Series, line_plot, nice_ticks, spark
from kent.report.wording import change, clean, duration, interval, number

NUMBERS = st.floats(-1e6, 1e6)
VALUES = st.lists(st.none() | st.floats(-10, 10), max_size=300)


@given(VALUES, st.integers(1, 40))
def test_a_sparkline_has_a_mark_a_value_and_is_never_too_wide(values, width):
    line = sparkline(values, width)
    assert len(line) <= width
    assert set(line) <= set(BLOCKS + " ")
    if len(values) <= width and any(v is not None for v in values):
        assert [mark == " " for mark in line] == [v is None for v in values]


def test_a_sparkline_rises_with_its_values():
    assert sparkline([1, 2, 3, 4, 5, 6, 7, 8]) == BLOCKS
    assert sparkline([]) == sparkline([None, None]) == ""


@given(NUMBERS, st.floats(1e-6, 1e6))
def test_ticks_are_few_ordered_and_inside(low, span):
    ticks = nice_ticks(low, low + span)
    assert 1 <= len(ticks) <= 6
    assert ticks == sorted(ticks)
    air = 1e-6 * (abs(low) + span)
    assert all(low - air <= tick <= low + span + air for tick in ticks)


@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(0, 1)), max_size=50), st.booleans())
def test_a_plot_of_anything_stays_on_its_sheet(figures, percent):
    points = tuple(
        Point(x, value, value - half, value + half, "tip")
        for x, (value, half) in enumerate(figures)
    )
    ticks = tuple(str(x) for x in range(len(points)))
    plot = line_plot(
        Drawing("k", "t", "d", ticks, (Series("a", "s1", points),), percent=percent), 400, 270
    )
    assert "nan" not in plot
    assert "inf" not in plot
    for chunk in plot.split('cy="')[1:]:
        assert 0 <= float(chunk.split('"')[0]) <= 270


@given(VALUES)
def test_a_small_line_is_drawn_for_two_values_or_more(values):
    drawn = spark(values)
    assert bool(drawn) == (sum(v is not None for v in values) >= 2)
    assert "nan" not in drawn


@given(st.text())
def test_clean_text_is_one_line_of_visible_characters(text):
    shown = clean(text)
    assert "\n" not in shown
    assert all(unicodedata.category(c)[0] != "C" for c in shown)
    assert len(clean(text, 10)) <= 10


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.4567, "percent", "45.7"), (-0.02, "percent", "−2.0"), (0.5, "fraction", "0.500"),
     (12345, "count", "12,345"), (None, "percent", "–")],
)  # fmt: skip
def test_numbers(value, unit, text):
    assert number(value, unit) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.031, "+3.1"), (-0.031, "−3.1"), (0.0, "±0.0"), (-0.00001, "±0.0"), (None, "–")],
)
def test_changes_have_a_sign(value, text):
    assert change(value, "percent") == text


def test_an_interval_below_zero_is_written_in_words():
    assert interval({"low": -0.1, "high": 0.2}, "percent") == "−10.0 to 20.0"
    assert interval({"low": 0.1, "high": 0.2}, "fraction") == "0.100–0.200"
    assert interval({"low": None, "high": None}, "fraction") == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.6, "1 min"), (61, "1 min 1 s"), (7260, "2 h 1 min"), (90000, "1 d 1 h"),
     (None, "–"), (math.inf, "–")],
)  # fmt: skip
def test_durations(seconds, text):
    assert duration(seconds) == text
