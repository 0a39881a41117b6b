"""Repairing programs: the right edits lead to the right text, and nothing impossible is written."""

import numpy as np
import pytest
import torch

from trainers.ctm.config import preset
from trainers.ctm.data.dataset import Dataset
from trainers.ctm.data.edits import Op
from trainers.ctm.data.grid import CTMGridEncoder
from trainers.ctm.editable import Move, TextProgram, of_samples
from trainers.ctm.evaluate import evaluate, held_out
from trainers.ctm.figures import figures, nested
from trainers.ctm.models import build
from trainers.ctm.repair import Repairer

CODE = "def f(a, b):\n    # sum\n    return a - b\n"


@pytest.fixture(scope="module")
def data(built):
    return Dataset(built)


@pytest.fixture(scope="module")
def coder(data):
    return CTMGridEncoder(data.tokenizer, data.height, data.width)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build("ctm", preset("tiny", grid_height=64, grid_width=48, iterations=3))


def test_an_edit_changes_its_lexeme_and_keeps_the_rest(coder):
    program = TextProgram.of(CODE, coder)
    minus = program.program.values.index("-")
    plus = coder.tokenizer.whole("+")
    after = program.edited(Move(minus, Op.REPLACE, plus, -1, 1.0))
    assert after.text == CODE.replace("-", "+")
    copied = program.edited(Move(minus, Op.REPLACE, -1, program.program.values.index(","), 1.0))
    assert "a , b" in copied.text
    assert program.edited(Move(minus, Op.DELETE, -1, -1, 1.0)).text.endswith("return a b\n")


def test_pieces_and_the_end_of_the_program_are_never_edits(coder, data):
    program = TextProgram.of(CODE, coder)
    piece = next(
        token for token in range(data.tokenizer.size) if data.tokenizer.lexeme(token) is None
    )
    last = len(program.program.lexemes) - 1
    assert program.edited(Move(1, Op.REPLACE, piece, -1, 1.0)) is None
    assert program.edited(Move(last, Op.DELETE, -1, -1, 1.0)) is None
    assert program.edited(Move(1, Op.REPLACE, -1, last, 1.0)) is None
    state = of_samples([data.split("train").sample(0)], data.tokenizer, 64, 48)[0]
    end = len(state.state.words) - 1
    assert state.edited(Move(end, Op.DELETE, -1, -1, 1.0)) is None
    assert state.edited(Move(0, Op.REPLACE, piece, -1, 1.0)) is None
    assert state.edited(Move(0, Op.REPLACE, -1, end, 1.0)) is None


def test_a_model_that_is_sure_nothing_is_wrong_leaves_text_untouched(coder, model):
    torch.nn.init.zeros_(model.head.none.bias) if hasattr(model.head, "none") else None
    (repair,) = Repairer(model).repair([TextProgram.of(CODE, coder)])
    assert repair.ended in ("no fix", "edits", "stuck", "loop", "grid")
    if not repair.moves:
        assert repair.program.text == CODE
    assert len(repair.moves) <= 8
    assert 0 <= repair.probability <= 1


def test_many_programs_get_what_each_gets_alone(coder, model, data):
    samples = held_out(data, "validation", 6, seed=0)
    programs = of_samples(samples, data.tokenizer, data.height, data.width)
    together = Repairer(model, batch_size=4).repair(programs, limit=2)
    alone = [Repairer(model).repair([one], limit=2)[0] for one in programs]
    assert [one.program for one in together] == [one.program for one in alone]


def test_candidates_differ_and_are_in_order(coder, model):
    found = Repairer(model).candidates(TextProgram.of(CODE, coder), 5, limit=2)
    assert 1 < len(found) <= 5
    chances = [one.probability for one in found]
    assert chances == sorted(chances, reverse=True)
    texts = [one.program.text for one in found]
    assert len(set(texts)) == len(texts)


def test_every_figure_is_there_with_its_number_of_programs(model, data):
    samples = held_out(data, "validation", 30, seed=0)
    outcomes = evaluate(Repairer(model), samples, data, tick_samples=5)
    assert outcomes.by_tick.shape == (3, 5)
    found = figures(outcomes)
    bugs = int(np.sum(outcomes.edits > 0))
    assert found["fix_accuracy"].n == bugs
    assert found["clean_kept"].n == 30 - bugs
    assert found["lexeme_accuracy_copy"].value > 0.9
    document = nested(found)
    assert len(document["fix_accuracy_by_edits"]) == 8
    assert len(document["fix_accuracy_by_tick"]) == 3
    assert sum(one["n"] for one in document["fix_accuracy_by_type"].values()) == bugs
    assert set(document["ece"]) == {"value", "low", "high", "n"}


def test_what_does_not_parse_is_edited_until_it_does_and_no_further(model, coder):
    # Even weights that were never trained have "delete this" among their likeliest edits.
    broken = [f"{name} {mark}\n" for name in ("x", "y", "print") for mark in (")", "(", ",,", "=")]
    programs = [TextProgram.of(code, coder) for code in [*broken, CODE]]
    *repairs, sound = Repairer(model, least=1.1).repair(programs)
    assert all(one.fails and one.moves for one in repairs)
    assert not sound.fails
    assert not sound.moves
    parses = {
        not one.program.notice(one.program.grid()).any() for one in repairs if one.ended == "parses"
    }
    assert parses == {True}
