"""Equal lexemes: counted, linked both ways, and never confused with pieces or padding."""

import pytest
import torch
from ctm_batches import one_row, padded, random_batch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.ctm.config import preset
from trainers.ctm.lexeme_identity import LINKS, USES, links, uses
from trainers.ctm.models import build

# a . b ( a ) a . c: names at 0, 2, 4, 6, 8
ROW = one_row([10, 1, 11, 2, 10, 3, 10, 1, 12], [1] * 9)


def test_uses_are_counted_and_the_first_is_told_from_later_ones() -> None:
    found = uses(ROW)
    assert found.before[0].tolist() == [9, 9, 9, 9, 0, 9, 4, 1, 9]
    assert found.after[0].tolist() == [4, 7, 9, 9, 6, 9, 9, 9, 9]
    # 3 + k: the first of k uses.
    assert found.count[0].tolist() == [6, 5, 1, 1, 3, 1, 3, 2, 1]


def test_a_lexeme_of_several_pieces_is_the_same_only_as_a_whole() -> None:
    row = one_row([5, 6, 5, 7, 5, 6], [1, 0, 1, 0, 1, 0])
    assert uses(row).after[0].tolist() == [4, 6, 6, 6, 6, 6]
    assert uses(row).count[0].tolist() == [5, 0, 1, 0, 2, 0]


def test_links_name_what_followed_and_preceded_other_uses() -> None:
    found = links(ROW, uses(ROW))
    none = ROW.size * ROW.cells
    # At the last lexeme, c: its left neighbour "." was last followed by b.
    assert found[8].tolist() == [none, 2, none, none, none, none]
    # At the last ".": used before at 1; a, to its left, was last followed by ")".
    assert found[7].tolist() == [1, 5, none, none, none, none]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000))
def test_each_link_stands_opposite_to_its_inverse(seed: int) -> None:
    batch = random_batch(preset("tiny", vocab_size=6), samples=3, cells=16, seed=seed)
    found = links(batch, uses(batch))
    none = batch.size * batch.cells
    for cell, row in enumerate(found.tolist()):
        for number, other in enumerate(row):
            if other < none:
                assert found[other, LINKS - 1 - number] == cell
    assert bool((uses(batch).count < USES).all())


@pytest.mark.parametrize("kind", ["ctm", "encoder"])
def test_models_are_told_of_notices_and_padding_changes_nothing(kind: str) -> None:
    torch.manual_seed(0)
    model = build(kind, preset("tiny")).eval()
    batch = random_batch(preset("tiny"))
    with torch.no_grad():
        plain = model(batch).locations
        wide = model(padded(batch, batch.cells + 5)).locations
        silent = model(type(batch)(**{**vars(batch), "notice": batch.notice * 0})).locations
    cells = batch.cells
    torch.testing.assert_close(wide[..., :cells], plain[..., :cells], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(silent, plain)
