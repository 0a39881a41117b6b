"""Stages as tensors: running values forward and back."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from trainers.fractal.synthetic.numbers import LIMIT, UNKNOWN, feature_table, table_rows
from trainers.fractal.synthetic.programs import Op, Root, run
from trainers.fractal.synthetic.rows import digits_of, stage_rows

roots = st.builds(Root, st.sampled_from(Op), st.one_of(st.none(), st.integers(1, 99)))
stages = st.lists(roots, min_size=1, max_size=4).map(tuple)


@given(
    st.lists(st.tuples(st.integers(1, 999), st.integers(1, 999), stages), min_size=1, max_size=4)
)
def test_values_before_a_root_are_those_of_the_run(asked):
    before = stage_rows(asked).before()
    for row, (start, _, stage) in enumerate(asked):
        values = [start, *run(start, stage)[:-1]]
        assert before[row, : len(stage)].tolist() == [UNKNOWN if v is None else v for v in values]


@given(st.integers(1, 999), st.integers(1, 999), stages)
def test_from_the_value_wanted_after_a_root_the_rest_leads_to_the_end(start, end, stage):
    after = stage_rows([(start, end, stage)]).after()[0].tolist()
    for place, value in enumerate(after):
        if value != UNKNOWN:
            rest = run(value, stage[place + 1 :])
            assert (rest[-1] if rest else value) == end


@given(st.integers(1, 999), st.integers(2, 99), stages)
def test_a_right_program_gives_the_same_values_from_both_sides(start, operand, stage):
    full = tuple(Root(root.op, root.operand or operand) for root in stage)
    values = run(start, full)
    if None in values:
        return
    after = stage_rows([(start, values[-1], full)]).after()[0].tolist()
    # Back through a product of zero there is no single value; else both sides agree.
    assert after == values


def test_digits_and_numbers_beyond_the_table():
    assert digits_of(torch.tensor([7, 42])).tolist() == [[0, 7], [4, 2]]
    table = feature_table()
    rows = table_rows(torch.tensor([UNKNOWN, -LIMIT - 5, LIMIT + 5, 0]))
    assert table[rows[0], 0] == 1
    assert table[rows[1:], 0].sum() == 0
    assert len(table[rows].unique(dim=0)) == 4
