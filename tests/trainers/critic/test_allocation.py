"""The budget of a round: given out whole, within its bounds, most where it teaches most."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainers.critic.allocation import allocate, informative_shares, uniform_shares

OUTCOMES = st.lists(
    st.integers(0, 12).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
    min_size=1,
    max_size=40,
)


@given(OUTCOMES, st.integers(0, 12), st.integers(1, 16), st.data())
def test_the_budget_is_given_out_whole_as_far_as_the_bounds_let_it(outcomes, each, most, data):
    n = len(outcomes)
    room = data.draw(st.lists(st.integers(0, 30), min_size=n, max_size=n))
    given_out = allocate(informative_shares(outcomes), each * n, room=room, most=most)
    assert all(0 <= one <= min(most, own) for one, own in zip(given_out, room, strict=True))
    assert sum(given_out) == min(each * n, sum(min(most, own) for own in room))


def test_undecided_problems_get_most_and_solved_ones_least():
    outcomes = [(4, 2), (4, 1), (4, 0), (4, 4)]
    half, quarter, unsolved, solved = allocate(
        informative_shares(outcomes), 400, room=[1000] * 4, most=1000
    )
    assert half > quarter > unsolved > solved > 0


def test_a_first_round_is_uniform_either_way():
    for share in (uniform_shares, informative_shares):
        assert allocate(share([(0, 0)] * 7), 28, room=[9] * 7, most=16) == [4] * 7


def test_problems_with_equal_outcomes_differ_by_one_at_most():
    given_out = allocate(uniform_shares([(4, 1)] * 9), 31, room=[99] * 9, most=99)
    assert max(given_out) - min(given_out) == 1
    assert np.sum(given_out) == 31
