"""The parser's notices: sound programs have none, broken ones the complaint where it is named."""

import numpy as np
import pytest

from trainers.ctm.data.collate import collate
from trainers.ctm.data.dataset import Dataset
from trainers.ctm.data.notices import FAILS, KINDS, PARSES, noticed
from trainers.ctm.data.program import Program
from trainers.ctm.editable import SampleProgram, TextProgram


def told(code, encoder):
    """The lexeme that is complained about, or None."""
    program = Program.of(code)
    grid = encoder.pack(program)
    notices = noticed(grid, encoder.tokenizer)
    assert notices.shape == grid.tokens.shape
    assert (notices < KINDS).all()
    named = np.flatnonzero(notices > FAILS)
    if not len(named):
        assert (notices == PARSES).all()
        return None
    assert len(named) == 1
    assert (np.delete(notices, named) == FAILS).all()
    return program.values[grid.lexeme[named[0]]]


@pytest.mark.parametrize(
    ("code", "lexeme"),
    [
        ("def f(a):\n    return a\n", None),
        ("def f(a):\n    if a\n        return 1\n", "<eol>"),
        ("def f(a):\n    return (a\n", "("),
        ("def f(a):\n    return a)\n", ")"),
        ("def f(a):\n    return [a, 1)\n", ")"),
        ("def f(a):\n    x = 'b\n    return a\n", "'"),
        ("def f(a):\n    x = 1\n  return a\n", "<odd1>"),
        ("def f(a):\n    x = {1: 'two', 3: b'four'}\n    return f'{a!r}', x['é']\n", None),
        ("def f(a):\n    x = '" + "word " * 30 + "'\n    return x is 1\n", None),
    ],
)
def test_the_complaint_stands_at_the_lexeme_that_python_names(code, lexeme, encoder):
    found = told(code, encoder)
    if lexeme == "<odd1>":  # the row, at whichever end Python points to
        assert found is not None
    else:
        assert found == lexeme


def test_sound_functions_of_the_library_parse_as_the_models_see_them(library_functions, encoder):
    programs = [Program.of(found.code) for found in library_functions[::10]]
    fitting = [one for one in programs if len(one.values) < 300]
    failing = [p for p in fitting if noticed(encoder.pack(p), encoder.tokenizer).any()]
    assert len(fitting) > 50
    assert len(failing) <= 0.01 * len(fitting)


def test_syntax_bugs_fail_and_others_parse(built):
    data = Dataset(built)
    for sample in data.split("train").samples(range(200)):
        syntax = sample.facts.bug_class == "syntax"
        fails = noticed(sample.grid, data.tokenizer).any()
        assert fails == syntax or sample.facts.operator == "indent"


def test_a_sample_its_state_and_a_batch_have_the_same_notices(built):
    data = Dataset(built)
    samples = data.split("train").samples(range(24))
    batch = collate(samples, tokenizer=data.tokenizer)
    for row, sample in zip(batch.notice, samples, strict=True):
        program = SampleProgram(sample.state(), data.tokenizer, data.height, data.width)
        told = program.notice(program.grid())
        assert row[: len(told)].tolist() == told.tolist()
        assert not row[len(told) :].any()
    assert not collate(samples).notice.any()


def test_source_text_is_noticed(encoder):
    program = TextProgram.of("def f(:\n    pass\n", encoder)
    assert program.notice(program.grid()).any()
