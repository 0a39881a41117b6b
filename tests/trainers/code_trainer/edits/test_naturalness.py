"""Word counts: what is a word, shares that sum to one, changes that look like code or do not."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.code_trainer.edits.code_words import structure, surface, words
from trainers.code_trainer.edits.naturalness import Naturalness
from trainers.code_trainer.edits.ngrams import NGrams
from trainers.errors import CheckpointError

LOOP = """def f{n}(xs):
    out = []
    for i in range(len(xs)):
        out.append(xs[i])
    return out
"""
WHILE = "def g{n}(xs):\n    i = 0\n    while i < len(xs):\n        i += 1\n    return i\n"
PROGRAMS = [text.format(n=number) for number in range(40) for text in (LOOP, WHILE)]
PROGRAM = LOOP.format(n="")

texts = st.lists(st.lists(st.sampled_from("abcd"), max_size=12), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def naturalness() -> Naturalness:
    return Naturalness.fit(PROGRAMS)


def test_layout_is_a_word_and_comments_and_kinds_of_quotes_are_none():
    found = words("if a:\n    b = \"x\"  # why\n\nc = 'x'\n")
    assert found == ["if", "a", ":", "\n>", "b", "=", "'x'", "\n<", "c", "=", "'x'", "\n"]


def test_a_text_of_several_lines_is_one_word():
    assert words('"""a\n    b"""\nx') == ["'a\n    b'", "\n", "x"]


def test_rare_names_and_long_texts_lose_their_spelling_and_members_keep_it():
    assert surface(words("total.append(index, 'hello', 77, 1, len)"), frozenset({"index"})) == [
        "ID", ".", "append", "(", "index", ",", "STR", ",", "NUM", ",", "1", ",", "len", ")",
    ]  # fmt: skip


def test_a_variable_is_told_by_when_it_was_used_last():
    assert structure(words("a = b + a")) == ["VN", "=", "VN", "+", "V1"]
    one, other = (structure(words(f"{x} = {y} + {x}.size")) for x, y in (("a", "b"), ("q", "r")))
    assert one == other


@given(texts, st.integers(1, 4), st.integers(1, 3))
def test_shares_of_known_words_sum_to_at_most_one_and_are_above_none(programs, order, least):
    grams = NGrams(order)
    grams.fit(programs, least=least)
    before = programs[0][:3]
    total = 0.0
    for word in "abcd":
        ids = grams.ids([*before, word])
        score = grams.score(ids, len(before), len(before) + 1)
        assert score < 0.0 or math.isclose(score, 0.0, abs_tol=1e-9)
        total += math.exp(score)
    assert total <= 1.0 + 4e-4


@given(texts, st.integers(1, 4))
def test_what_is_kept_as_arrays_says_the_same(programs, order):
    grams = NGrams(order)
    grams.fit(programs)
    again = NGrams.of_arrays(grams.arrays())
    for text in programs:
        ids = grams.ids(text)
        assert again.ids(text) == ids
        assert again.score(ids, 0, len(ids)) == grams.score(ids, 0, len(ids))


def test_a_usual_change_gains_and_an_unusual_one_loses(naturalness):
    odd = PROGRAM.replace("xs[i]", "i[xs]")
    worse, better = naturalness.change(PROGRAM, odd), naturalness.change(odd, PROGRAM)
    for model in ("surface", "structure"):
        assert worse[f"{model}.gain"] <= 0 <= better[f"{model}.gain"]
        assert worse[f"{model}.gain"] == pytest.approx(-better[f"{model}.gain"])
    assert worse["structure.gain"] < -1
    assert (worse["surface.put"], worse["surface.cut"]) == (3, 3)


def test_no_change_gains_nothing(naturalness):
    change = naturalness.change(PROGRAM, PROGRAM)
    for model in ("surface", "structure"):
        assert {change[f"{model}.{part}"] for part in ("gain", "put", "cut")} == {0.0}


def test_it_is_kept_and_a_damaged_file_is_said(tmp_path, naturalness):
    path = tmp_path / "words.npz"
    naturalness.save(path)
    odd = PROGRAM.replace("len", "max")
    assert Naturalness.load(path).change(PROGRAM, odd) == naturalness.change(PROGRAM, odd)
    for damaged in (path.read_bytes()[:200], b"no archive", b""):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="no readable word counts"):
            Naturalness.load(path)
