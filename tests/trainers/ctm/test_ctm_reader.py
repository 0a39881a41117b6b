"""Batches of a data set: their cells and edits, the mixture of a stage, and where a reader is."""

import itertools
import json

import numpy as np
import pytest
import torch

from trainers.ctm.data import edits as scripts
from trainers.ctm.data.collate import collate
from trainers.ctm.data.dataset import Dataset
from trainers.ctm.data.reader import BatchReader, Position, StageFilter
from trainers.errors import CTMDataError


@pytest.fixture(scope="module")
def dataset(built):
    return Dataset(built)


STAGE = StageFilter(("simple_logic",), (0.0, 0.5), earlier=("syntax",))


def same(one, two):
    return all(torch.equal(value, getattr(two, name)) for name, value in vars(one).items())


def test_a_batch_holds_the_cells_and_the_edits_that_are_next(dataset):
    data = dataset.split("train")
    samples = data.samples(range(64))
    batch = collate(samples)
    assert batch.tokens.dtype == batch.edit_token.dtype == torch.int64
    assert batch.edit_pointer.shape == (64, batch.edit_cell.shape[1], batch.tokens.shape[1])
    for b, sample in enumerate(samples):
        n = len(sample.grid.tokens)
        assert batch.tokens[b, :n].tolist() == sample.grid.tokens.tolist()
        assert not batch.tokens[b, n:].any()
        assert batch.valid[b].sum() == n
        assert batch.lexeme[b].sum() == len(sample.words)
        free = scripts.next_edits(sample.edits)
        assert batch.edit_valid[b].sum() == len(free)
        for e, number in enumerate(free):
            edit = sample.edits[number]
            assert batch.edit_cell[b, e] == sample.grid.cells[edit.at]
            assert batch.lexeme[b, batch.edit_cell[b, e]]
            assert batch.edit_op[b, e] == int(edit.op)
            if edit.new is None:
                assert batch.edit_token[b, e] == -1
                assert not batch.edit_pointer[b, e].any()
            else:
                copies = batch.edit_pointer[b, e].nonzero().flatten().tolist()
                words = np.flatnonzero(sample.words == edit.new)
                assert copies == sample.grid.cells[words].tolist()
                assert copies or batch.edit_token[b, e] > 0


def test_states_in_between_lead_to_the_same_program(dataset):
    data = dataset.split("train")
    several = [data.sample(int(i)) for i in np.flatnonzero(data.edits > 1)[:40]]
    plain, between = collate(several), collate(several, np.random.default_rng(1), partial=1.0)
    assert (between.edit_valid.any(1)).all()
    changed = [
        b
        for b in range(len(several))
        if plain.tokens[b][plain.valid[b]].tolist() != between.tokens[b][between.valid[b]].tolist()
    ]
    assert len(changed) > 30
    copyable = between.edit_pointer.any(-1) | (between.edit_token >= 0)
    assert (copyable | (between.edit_op == 2) | ~between.edit_valid).all()


def test_an_epoch_is_the_mixture_of_its_stage(dataset):
    data = dataset.split("train")
    reader = BatchReader(data, STAGE, 16, seed=1, samples=160)
    batches = list(reader.epoch())
    assert len(batches) == reader.batches == 10
    assert reader.position == Position(1, 0)
    clean = sum(int((~batch.edit_valid.any(1)).sum()) for batch in batches)
    assert clean == 48
    wanted = data.where(["simple_logic"], (0.0, 0.5))
    assert len(wanted) < len(data.where(["simple_logic"]))


def test_buckets_keep_padding_low(dataset):
    data = dataset.split("train")
    reader = BatchReader(data, StageFilter(("all_logic", "simple_logic")), 16, seed=1)
    valid = cells = 0
    for batch in reader.epoch():
        valid, cells = valid + int(batch.valid.sum()), cells + batch.valid.numel()
    assert valid > 0.8 * cells


def test_a_reader_goes_on_at_its_position_with_the_same_batches(dataset):
    data = dataset.split("train")
    first = BatchReader(data, STAGE, 16, seed=4, samples=80)
    batches = list(itertools.islice(first, 3))
    position = Position(**json.loads(json.dumps(first.position.to_json())))
    rest = list(itertools.islice(first, 5))
    second = BatchReader(data, STAGE, 16, seed=4, samples=80, position=position)
    assert all(same(one, two) for one, two in zip(rest, second, strict=False))
    assert not same(batches[0], rest[0])


def test_a_stage_without_bugs_is_refused(dataset):
    with pytest.raises(CTMDataError, match="no sample is of lint"):
        BatchReader(dataset.split("train"), StageFilter(("lint",)), 16, seed=1)


def test_a_stage_leaves_out_programs_that_are_too_long(dataset):
    split = dataset.split("train")
    stage = StageFilter(("syntax", "simple_logic"), longest=60)
    batches = list(BatchReader(split, stage, 16, 0, partial=0.0).epoch())
    assert batches
    assert max(batch.cells for batch in batches) <= 60
    assert any(not row.any() for batch in batches for row in batch.edit_valid)
    with pytest.raises(CTMDataError, match="no sample"):
        BatchReader(split, StageFilter(("syntax",), longest=1), 16, 0)
