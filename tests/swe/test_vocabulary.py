"""Tokens of fragments and back, edit scripts, and what a task's vocabulary holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.code_trainer.code_tokens import LINE_ENDS, SYNTAX, lex, render, words
from trainers.code_trainer.diffs import patches_of
from trainers.code_trainer.edit_script import apply_script, file_after, script_of, window_of
from trainers.code_trainer.vocabulary import (
    END,
    OOV,
    SPECIALS,
    TaskVocabulary,
    definitions,
    issue_words,
)

CODE = """\
def area(shape, scale=1.0, *args, **options):
    if shape is None or not shape.sides:
        raise ValueError("no shape: %s" % shape)
    total = -scale * sum(a[0] + a[1:2] for a in shape.sides)  # in metres
    result = combine(
        total,
        lambda x: x**2,
        key={"a": 1, "b": [2, 3]},
    )

    return result
"""


def test_well_formatted_code_renders_to_itself():
    text, _ = render(words(CODE))
    assert text == CODE


@given(st.text(alphabet="ab_1 \n\t\"'#()[]{}:=,.+-\\é", max_size=60))
def test_tokens_and_the_space_between_them_are_the_text(text):
    rest, position = [], 0
    for token in lex(text):
        rest.append(text[position : token.start])
        assert text[token.start : token.end] == token.raw
        position = token.end
    assert not "".join([*rest, text[position:]]).strip()


def test_the_same_tokens_fit_at_any_depth():
    shallow = words("if a:\n    b()\nc()")
    text, _ = render(shallow, "class X:\n        d()\n        ")
    assert text == "if a:\n            b()\n        c()"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("or not shape.sides", "or not shape.sides()"),
        ("    total = -scale", "    scale = abs(scale)\n    total = -scale"),
        ("        total,\n", ""),
        ("    return result\n", "    if result:\n        return result\n    return None\n"),
        ("    if shape is None", "    if True:\n        pass\n    if shape is None"),
    ],
)
def test_a_script_makes_the_patch(old, new):
    after = CODE.replace(old, new)
    (patch,) = patches_of({"a.py": CODE}, {"a.py": after})
    window = window_of(CODE, patch.location)
    script = script_of(window, patch)
    assert file_after(CODE, window, script) == after
    assert script.tokens == () or set(script.tokens) <= set(words(after))


LINE = st.sampled_from(["a = b", "    c(d, e)", "", "if x:", "        y += 1", "# z", "f(", ")"])


@given(st.lists(LINE, max_size=8), st.lists(LINE, max_size=8))
def test_a_script_never_lies_about_what_it_makes(before, after):
    old, new = "\n".join([*before, ""]), "\n".join([*after, ""])
    for patch in patches_of({"a.py": old}, {"a.py": new}):
        window = window_of(old, patch.location)
        script = window and script_of(window, patch)
        if script:
            lines = window.text.splitlines(keepends=True)
            start = patch.start - window.first
            end = start + patch.anchor.count("\n")
            truth = "".join([*lines[:start], patch.content, *lines[end:]])
            assert words(apply_script(window, script)) == words(truth)


def test_a_patch_outside_of_the_window_has_no_script():
    text = "".join(f"x{i} = {i}\n" for i in range(200))
    (patch,) = patches_of({"a.py": text}, {"a.py": text + "y = 1\n"})
    assert script_of(window_of(text, "<module>:1"), patch) is None
    assert window_of(text, "nowhere:1") is None


def test_a_vocabulary_holds_the_task_and_nothing_else():
    vocabulary = TaskVocabulary.of_texts(
        words("total = 1"), CODE, "Use `scale_all` in 'area'", ["perimeter"]
    )
    for token in ("total", "shape", "scale_all", "area", "perimeter", "lambda", "<NL+4>", "**"):
        assert token in vocabulary
    for token in ("volume", *SPECIALS):
        assert token not in vocabulary
    assert vocabulary.id("volume") == vocabulary.id(OOV)
    coverage = vocabulary.coverage(["shape", "volume", "volume", "total"])
    assert (coverage.known, coverage.total, coverage.missing) == (2, 4, ("volume",))
    assert not coverage.whole
    assert vocabulary.coverage([]).whole


def test_only_the_end_is_ever_emitted_of_the_specials():
    vocabulary = TaskVocabulary(["a"])
    allowed = dict(zip(vocabulary.tokens, vocabulary.allowed().tolist(), strict=True))
    assert [token for token in SPECIALS if allowed[token]] == [END]
    assert allowed["a"]


def test_the_limit_keeps_what_is_near():
    file = [f"name{i}" for i in range(500)] + ["often"] * 3
    vocabulary = TaskVocabulary(
        ["near"], file, ["said"], ["far"], limit=len(SPECIALS) + len(SYNTAX) + len(LINE_ENDS) + 3
    )
    assert [token for token in ("near", "said", "often") if token in vocabulary] == [
        "near",
        "said",
        "often",
    ]
    assert "name0" not in vocabulary and "far" not in vocabulary


def test_features_say_where_a_token_comes_from():
    vocabulary = TaskVocabulary(["a", "a"], ["a", "b"], ["b"], ["c"])
    row = dict(zip(vocabulary.tokens, vocabulary.features.tolist(), strict=True))
    assert row["a"][:5] == [0, 1, 0, 1, 0]
    assert row["b"][:5] == [0, 0, 1, 1, 0]
    assert row["c"][:5] == [0, 0, 0, 0, 1]
    assert row["a"][5] > row["b"][5] == 0


def test_what_an_issue_quotes_is_said_with_and_without_quotes():
    found = issue_words('Calling "load_all()" fails\nwith `KeyError`')
    assert {"load_all", '"load_all()"', "KeyError", "fails"} <= set(found)
    assert not set(found) & set(LINE_ENDS)


def test_definitions():
    text = "class A:\n    async def b(self): ...\n\ndef c(): ...\n"
    assert definitions(text) == ["A", "b", "c"]
