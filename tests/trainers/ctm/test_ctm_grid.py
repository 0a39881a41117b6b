"""Vocabulary and grid: what a cell holds, what fits, and the dense view."""

import json

import numpy as np
import pytest

from trainers.ctm.data.grid import CTMGridEncoder, GridError
from trainers.ctm.data.lexemes import END, EOL, indent
from trainers.ctm.data.program import Program, repair_script
from trainers.ctm.data.sample import Facts, UnreachableError, dense, make_sample
from trainers.ctm.data.tokenizer import CONTINUED, STRING, CodeTokenizer
from trainers.errors import CTMDataError

CODE = "def f(items):\n    for item in items:\n        print(item)\n"


def test_every_library_function_keeps_its_lexemes_in_cells(library_functions, encoder):
    fitting = 0
    for found in library_functions:
        program = Program.of(found.code)
        try:
            grid = encoder.pack(program)
        except GridError as error:
            assert error.reason == "rows"
            continue
        fitting += 1
        pieces = [piece for value in program.values for piece in encoder.tokenizer.pieces(value)]
        assert grid.tokens[grid.lexeme >= 0].tolist() == pieces
        assert len(grid.cells) == len(program.values)
        assert len(set(zip(grid.row.tolist(), grid.col.tolist(), strict=True))) == len(grid.tokens)
        assert int(grid.col.max()) < encoder.width
        assert int(grid.row.max()) < encoder.height
    assert fitting > 0.9 * len(library_functions)


def test_a_cell_knows_where_its_lexeme_is_in_the_source(encoder):
    program = Program.of(CODE)
    grid = encoder.pack(program)
    for cell, (start, end) in enumerate(encoder.spans(program, grid)):
        assert CODE[start:end] == program.lexemes[grid.lexeme[cell]].text


def test_a_long_row_goes_on_behind_a_mark(tokenizer):
    narrow = CTMGridEncoder(tokenizer, 16, 12)
    grid = narrow.pack(
        Program.of("x = [" + ", ".join("abcdefgh"[i % 8] for i in range(20)) + "]\n")
    )
    marks = np.flatnonzero(grid.lexeme < 0)
    assert len(marks) > 2
    assert set(grid.tokens[marks].tolist()) == {CONTINUED}
    assert set(grid.col[marks].tolist()) == {0}


@pytest.mark.parametrize(
    ("code", "reason"),
    [("", "empty"), ("# only\n", "empty"), ("x = 1\n" * 70, "rows"), ("x = 1 + 1\n" * 999, "rows")],
)
def test_what_does_not_fit_is_refused_with_the_reason(encoder, code, reason):
    with pytest.raises(GridError) as refused:
        encoder.encode(code)
    assert refused.value.reason == reason


def test_the_dense_view_has_ids_mask_and_positions(encoder):
    view = encoder.encode(CODE)
    assert view["input_ids"].shape == (64, 48)
    assert view["positions"][3, 5].tolist() == [3, 5]
    assert np.array_equal(view["attention_mask"], (view["input_ids"] != 0).astype(np.float32))
    first = [encoder.tokenizer.lexeme(int(i)) for i in view["input_ids"][0, :3]]
    assert first == [indent(0), "def", "f"]


def test_code_s_own_words_are_one_id_and_long_strings_one_placeholder(tokenizer):
    for word in ("while", "<<=", "range", EOL, END, indent(15), "'", "ValueError", "True"):
        assert tokenizer.lexeme(tokenizer.whole(word)) == word
    assert tokenizer.pieces('"a literal of many words, none of them short"') == (STRING,)
    assert tokenizer.whole('"a literal of many words, none of them short"') == -1
    assert tokenizer.whole("zqxjk_unheard_of") == -1
    assert len(tokenizer.pieces("zqxjk_unheard_of")) > 1


def test_a_vocabulary_is_saved_whole_and_its_version_checked(tokenizer, tmp_path):
    path = tmp_path / "vocabulary.json"
    tokenizer.save(path)
    again = CodeTokenizer.load(path, tokenizer.version)
    assert again.version == tokenizer.version
    assert again.pieces("some_name_here") == tokenizer.pieces("some_name_here")
    with pytest.raises(CTMDataError, match="is not 0123"):
        CodeTokenizer.load(path, "0123")
    path.write_text(json.dumps({"format": 99}))
    with pytest.raises(CTMDataError, match="format 99"):
        CodeTokenizer.load(path)
    path.write_text("{")
    with pytest.raises(CTMDataError, match="no vocabulary"):
        CodeTokenizer.load(path)
    with pytest.raises(CTMDataError, match="no vocabulary"):
        CodeTokenizer.load(tmp_path / "none.json")


def sample_of(buggy, fixed, encoder):
    one, two = Program.of(buggy), Program.of(fixed)
    facts = Facts("all_logic", "variable_misuse", "test")
    return make_sample(one, repair_script(one, two), encoder, facts), two


def test_the_dense_view_of_a_sample_is_the_specification_s(encoder):
    sample, fixed = sample_of(CODE.replace("(item)", "(items)"), CODE, encoder)
    view = dense(sample)
    assert np.array_equal(view.fixed_grid, encoder.encode(CODE)["input_ids"])
    assert view.bug_location is not None
    assert view.diff_mask[view.bug_location]
    assert view.buggy_mask.sum() == len(sample.grid.tokens)
    assert view.bug_type == "all_logic"
    assert len(fixed.values) == len(sample.words)


def test_a_new_lexeme_that_is_no_item_and_nowhere_else_is_unreachable(encoder):
    with pytest.raises(UnreachableError):
        sample_of(CODE, CODE.replace("print", "zqxjk_unheard_of"), encoder)


def test_a_copied_lexeme_must_outlast_the_other_edits(encoder):
    one, two = "zqxjk_one", "zqxjk_two"
    with pytest.raises(UnreachableError):
        sample_of(f"f({one}, {two})\n", f"f({two}, {one})\n", encoder)
    sample_of(f"{one}, {two}\nf({one}, {two})\n", f"{one}, {two}\nf({two}, {one})\n", encoder)


def test_a_state_is_edited_by_tokens_and_copies(encoder):
    sample, _ = sample_of(CODE.replace("(item)", "(items)"), CODE, encoder)
    (edit,) = sample.edits
    source = sample.words.tolist().index(edit.new)
    assert sample.state().copy(edit.at, edit.op, source) == sample.repaired()
    token = encoder.tokenizer.whole("sorted")
    state = sample.state().put(edit.at, edit.op, token)
    assert state.pieces[state.words[edit.at]] == (token,)
    assert state != sample.repaired()
    assert len(sample.state().delete(0).words) == len(sample.words) - 1
