"""Predicted edits are the likeliest of all, equal lexemes counted together."""

from itertools import product

import pytest
import torch
from ctm_batches import one_row, random_batch

from trainers.ctm.batch import DELETE, OPERATIONS, Batch
from trainers.ctm.config import preset
from trainers.ctm.dense import dense_logits
from trainers.ctm.models import build
from trainers.ctm.prediction import equal_lexemes
from trainers.errors import ModelError

SMALL = preset("tiny", vocab_size=64)


def test_equal_lexemes_are_found_whatever_their_pieces() -> None:
    #        a  b-c  b  b-c  c-b  a
    batch = one_row([5, 6, 7, 6, 6, 7, 7, 6, 5], [1, 1, 0, 1, 1, 0, 1, 0, 1])
    first, single = equal_lexemes(batch)
    starts = [0, 1, 3, 4, 6, 8]
    assert [int(first[0, cell]) for cell in starts] == [0, 1, 3, 1, 6, 0]
    assert [bool(single[0, cell]) for cell in starts] == [True, False, True, False, False, True]


def test_lexemes_of_samples_do_not_mix() -> None:
    batch = random_batch(SMALL, samples=4, cells=20)
    first, _ = equal_lexemes(batch)
    for row in range(4):
        alone, _ = equal_lexemes(batch.select(torch.tensor([row])))
        allowed = batch.allowed[row]
        assert torch.equal(first[row][allowed], alone[0][allowed])


def test_the_best_edits_are_those_of_a_full_search() -> None:
    torch.manual_seed(0)
    model = build("encoder", SMALL).double()
    batch = one_row([5, 6, 7, 6, 6, 7, 7, 6, 5], [1, 1, 0, 1, 1, 0, 1, 0, 1])
    found = model.predict(batch, top_k=5)
    wanted = _all_edits(model, batch)
    for i in range(5):
        edit = tuple(
            int(part[0, i])
            for part in (found.cells, found.operations, found.tokens, found.pointers)
        )
        probability = float(found.probability[0, i])
        assert abs(wanted[edit] - probability) < 1e-9
    likely = found.locations[0, :-1].topk(4).indices.tolist()
    best = sorted((p for edit, p in wanted.items() if edit[0] in likely), reverse=True)[:5]
    torch.testing.assert_close(found.probability[0], torch.tensor(best, dtype=torch.float64))
    assert abs(sum(wanted.values()) + float(found.no_fix[0]) - 1) < 1e-9


def _all_edits(model: torch.nn.Module, batch: Batch) -> dict[tuple[int, int, int, int], float]:
    """Probability of every (cell, operation, token, pointer), written out."""
    first, single = equal_lexemes(batch)
    with torch.no_grad():
        thoughts = model(batch)
        places = thoughts.locations[0, 0].softmax(-1)
        edits: dict[tuple[int, int, int, int], float] = {}
        for cell, op in product(range(batch.cells), range(OPERATIONS)):
            state = thoughts.states[0, 0, cell][None, None]
            hidden, operations = model.head.edit(state, thoughts.context[0, 0])
            before = float(places[cell] * operations[0, 0, op].exp())
            if op == DELETE:
                edits[cell, op, -1, -1] = before
                continue
            new = model.head.replacement(
                hidden[None], torch.tensor([[[op]]]), thoughts.copy_keys, thoughts.allowed
            )
            words = model.head.vocabulary(new.query[0, 0], model.grid.embedding)[0].softmax(-1)
            for token, p in enumerate((words * new.generate.exp().squeeze()).tolist()):
                edits[cell, op, token, -1] = before * p
            for source, p in enumerate((new.pointer[0, 0, 0] + new.copy[0, 0, 0]).exp().tolist()):
                one = bool(single[0, source])
                key = (int(batch.tokens[0, source]), -1) if one else (-1, int(first[0, source]))
                edits[cell, op, *key] = edits.get((cell, op, *key), 0) + before * p
    return edits


def test_edits_can_be_read_at_any_tick() -> None:
    torch.manual_seed(0)
    model = build("ctm", SMALL)
    batch = random_batch(SMALL)
    with torch.no_grad():
        thoughts = model(batch)
    certain = model.predict(batch)
    assert torch.equal(certain.tick, thoughts.certainty.argmax(0))
    for tick in range(thoughts.ticks):
        found = model.edits_at(thoughts, batch, torch.full((batch.size,), tick))
        torch.testing.assert_close(found.locations, thoughts.locations[tick].softmax(-1))
        assert bool((found.probability.diff(dim=1) <= 0).all())
        assert bool((found.probability.sum(1) + found.no_fix <= 1 + 1e-5).all())


def test_more_edits_than_there_are_is_no_mistake() -> None:
    model = build("backbone", preset("tiny", vocab_size=4))
    batch = one_row([1, 2], [1, 1])
    found = model.predict(batch, top_k=100)
    assert found.cells.shape[1] < 100
    assert bool((found.probability >= 0).all())


def test_the_dense_view_is_a_distribution_that_keeps_what_no_edit_names() -> None:
    torch.manual_seed(0)
    config = preset("tiny", vocab_size=64)
    model = build("ctm", config)
    batch = random_batch(config)
    with torch.no_grad():
        thoughts = model(batch)
    last = torch.full((batch.size,), thoughts.ticks - 1)
    grid = dense_logits(model, thoughts, batch, last)
    assert grid.shape == (batch.size, config.grid_height, config.grid_width, config.vocab_size)
    torch.testing.assert_close(grid.exp().sum(-1), torch.ones(grid.shape[:3]))
    found = model.edits_at(thoughts, batch, last)
    for sample in range(batch.size):
        kept = 1 - found.locations[sample, :-1]
        for cell in range(int(batch.valid[sample].sum())):
            row, col = int(batch.row[sample, cell]), int(batch.col[sample, cell])
            piece = int(batch.tokens[sample, cell])
            assert float(grid[sample, row, col, piece].exp()) >= float(kept[cell]) - 1e-5


def test_a_dense_view_of_the_specified_size_is_refused() -> None:
    config = preset("spec", iterations=2, backbone_layers=0)
    model = build("backbone", config)
    batch = random_batch(config)
    with torch.no_grad():
        thoughts = model(batch)
    with pytest.raises(ModelError, match="too large; read edits instead"):
        dense_logits(model, thoughts, batch, torch.zeros(batch.size, dtype=torch.int64))
