"""Repairing programs: the right edits lead to the right text, and nothing impossible is written."""

import ast

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
from trainers.ctm.prediction import EditPrediction
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


def test_a_sound_program_stays_as_it_is_or_becomes_one_that_parses(coder, model):
    (repair,) = Repairer(model).repair([TextProgram.of(CODE, coder)])
    assert repair.ended in ("no fix", "doubt")
    if not repair.moves:
        assert repair.program.text == CODE
    ast.parse(repair.program.text)
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


class Scripted(torch.nn.Module):
    """Answers with the steps of a script, one program at a time.

    A step: (lexeme, operation, vocabulary id, its probability) of edits, and that of "no fix".
    Given a dictionary, it goes by the number of a program's cells instead of the order.
    """

    def __init__(self, *steps):
        super().__init__()
        self.steps = steps[0] if isinstance(steps[0], dict) else list(steps)

    def predict(self, batch, *, read, ticks, threshold, top_k):
        by_size = isinstance(self.steps, dict)
        edits, no_fix = self.steps[batch.cells] if by_size else self.steps.pop(0)
        firsts = batch.allowed[0].nonzero()[:, 0]
        at, op, token, chance = (torch.tensor([column]) for column in zip(*edits, strict=True))
        places = torch.zeros(1, batch.cells + 1)
        places[0, -1] = no_fix
        return EditPrediction(
            no_fix=torch.tensor([no_fix]),
            fix=torch.tensor([float(chance[0, 0]) > no_fix]),
            cells=firsts[at],
            operations=op,
            tokens=token,
            pointers=torch.full_like(at, -1),
            probability=chance,
            locations=places,
            certainty=torch.tensor([0.9]),
            ticks_used=torch.tensor([1]),
            tick=torch.tensor([0]),
        )


def test_a_program_that_parses_may_be_broken_between_the_edits_of_its_repair(coder):
    program = TextProgram.of("x = a\n", coder)
    whole = coder.tokenizer.whole
    end = program.program.values.index("a") + 1
    insert, delete = int(Op.INSERT_BEFORE), int(Op.DELETE)
    script = (
        ([(end, insert, whole("("), 0.9)], 0.1),
        # To delete the bracket again is the second choice, and the first that parses.
        ([(end + 1, insert, whole(")"), 0.8), (end, delete, -1, 0.1)], 0.05),
        ([(0, delete, -1, 0.05)], 0.9),
    )
    (repair,) = Repairer(Scripted(*script)).repair([program])
    assert repair.program.text.replace(" ", "") == "x=a()\n"
    assert repair.ended == "no fix"
    assert repair.probability == pytest.approx(0.9 * 0.8 * 0.9)
    (careful,) = Repairer(Scripted(*script), least=0.9).repair([program])
    assert careful.program == program
    assert careful.ended == "doubt"


def test_of_the_ways_to_end_the_likeliest_is_taken_and_none_that_does_not_parse(coder):
    program = TextProgram.of("x = a\n", coder)
    whole = coder.tokenizer.whole
    name, replace = program.program.values.index("a"), int(Op.REPLACE)
    once = [(name, replace, whole("self"), 0.9)], 0.1
    again = [(name, replace, whole("None"), 0.5)], 0.4
    done = [(name, replace, whole("self"), 0.1)], 0.6
    (repair,) = Repairer(Scripted(once, again, done)).repair([program])
    assert repair.program.text == "x = self\n"
    assert repair.asked == 3
    breaks = [(name, replace, whole("("), 0.9)], 0.1
    (kept,) = Repairer(Scripted(breaks, breaks)).repair([program], limit=1)
    assert kept.program == program
    assert kept.ended == "doubt"


def test_where_no_edit_ends_the_complaint_several_are_followed(coder):
    program = TextProgram.of("x = a ] ]\n", coder)
    brackets = [n for n, value in enumerate(program.program.values) if value == "]"]
    insert, delete = int(Op.INSERT_BEFORE), int(Op.DELETE)
    wrong = brackets[0], insert, coder.tokenizer.whole("("), 0.6
    right = brackets[0], delete, -1, 0.3
    cells = len(program.grid().tokens)
    worse = [(0, insert, coder.tokenizer.whole(")"), 0.9)], 0.1
    script = {
        cells: ([wrong, right], 0.1),
        cells - 1: ([(brackets[0], delete, -1, 0.9)], 0.0),
        cells + 1: worse,
        cells + 2: worse,
    }
    (repair,) = Repairer(Scripted(script), batch_size=1).repair([program], limit=2)
    assert repair.program.text.strip() == "x = a"
    assert repair.ended == "parses"
    assert repair.probability == pytest.approx(0.3 * 0.9)
