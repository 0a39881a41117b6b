"""The memory's intervals: a proportion's closed form is the library's."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from memory.hologram.intervals import wilson


@settings(deadline=None)
@given(st.integers(0, 400), st.integers(1, 400))
def test_a_proportions_interval_is_scipys(successes: int, n: int):
    successes = min(successes, n)
    ours = wilson(successes, n)
    theirs = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert (ours.value, ours.n) == (successes / n, n)


def test_of_nothing_there_is_no_proportion():
    assert wilson(0, 0).value is None
