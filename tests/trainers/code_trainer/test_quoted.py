"""Edits that an issue writes out: what is quoted, what is made of it, and which comes first."""

import pytest

from trainers.code_trainer.quoted_edits import quoted_edits
from trainers.code_trainer.quoted_proposals import quoted_proposals
from trainers.code_trainer.quotes import Quotes, blocks, fragments, parses

TEXT = '''"""A module."""


def to_dict(instance, fields=None):
    """As a dict."""
    data = {}
    for f in instance.fields:
        if fields and f.name not in fields:
            continue
        data[f.name] = f.value(instance)
    return data


class Cache:
    def clear(self):
        self.models.cache_clear()
        return self

    def load(self, name=None, **others):
        if name is None:
            name = others.get("name")
        return self.find(
            name,
            others)
'''


def first(issue: str, text: str = TEXT, *, function: str = "to_dict") -> str:
    """The text of the first proposal."""
    found = quoted_proposals(
        {"a.py": text}, [("a.py", 0.9)], {"a.py": [(function, 0.9)]}, issue, 10
    )
    return found[0].text


def every(issue: str, text: str = TEXT) -> list[str]:
    """The texts of all proposals."""
    found = quoted_proposals({"a.py": text}, [("a.py", 0.9)], {}, issue, 10)
    return [one.text for one in found]


def test_a_line_and_what_it_should_be() -> None:
    issue = """to_dict() ignores an empty list
The problem point is
if fields and f.name not in fields:
which should be
if fields is not None and f.name not in fields:
"""
    assert first(issue) == TEXT.replace("if fields and", "if fields is not None and")


def test_inline_code_in_a_sentence() -> None:
    issue = "It is `return data`. This should be changed to `return dict(data)`, as elsewhere."
    assert first(issue) == TEXT.replace("return data", "return dict(data)")


def test_a_piece_of_a_statement_over_several_lines() -> None:
    issue = "`self.find(name, others)` should be `self.find(name, **others)`"
    assert "return self.find(name, **others)" in first(issue)


def test_a_difference_needs_no_sentence() -> None:
    issue = (
        "A patch:\n```diff\n-        if name is None:\n+        if name is None or not name:\n```"
    )
    assert first(issue) == TEXT.replace("if name is None:", "if name is None or not name:")


def test_only_the_new_line_is_quoted() -> None:
    issue = "to_dict should do\n\n    data[f.name] = f.value(instance, fields)\n"
    assert first(issue) == TEXT.replace("f.value(instance)", "f.value(instance, fields)")


def test_a_statement_is_added_beside_the_one_most_like_it() -> None:
    issue = "clear() forgets some.\nI propose to add: self.settings.cache_clear() to clear."
    wanted = TEXT.replace(
        "        self.models.cache_clear()\n",
        "        self.models.cache_clear()\n        self.settings.cache_clear()\n",
    )
    assert wanted in every(issue)


def test_a_block_is_added_after_the_block_that_begins_like_it() -> None:
    issue = """load() asks for None.
My suggestion is to shortcut with:
    if name is None and not others:
        return
"""
    wanted = TEXT.replace(
        '            name = others.get("name")\n',
        '            name = others.get("name")\n'
        "        if name is None and not others:\n            return\n",
    )
    assert wanted in every(issue)


def test_a_block_that_differs_in_one_line() -> None:
    issue = """I fixed it so:

    data = {}
    for f in instance.fields:
        if f.hidden:
            continue
        if fields and f.name not in fields:
            continue
"""
    wanted = TEXT.replace(
        "    for f in instance.fields:\n",
        "    for f in instance.fields:\n        if f.hidden:\n            continue\n",
    )
    assert wanted in every(issue)


@pytest.mark.parametrize("issue", ["", "It does not work.", "See `to_dict` (in a.py).", "```\n```"])
def test_an_issue_without_code_says_nothing(issue: str) -> None:
    assert quoted_proposals({"a.py": TEXT}, [("a.py", 0.9)], {}, issue, 10) == []


def test_a_file_of_another_python_is_passed_over() -> None:
    issue = "`return data` should be `return dict(data)`"
    files = [("old.py", 0.6), ("a.py", 0.3)]
    texts = {"old.py": "print 'x'\nreturn data\n", "a.py": TEXT}
    assert {one.path for one in quoted_proposals(texts, files, {}, issue, 10)} == {"a.py"}


def test_the_likelier_file_comes_first() -> None:
    issue = "`return data` should be `return dict(data)`"
    files = [("a.py", 0.1), ("b.py", 0.8)]
    found = quoted_proposals({"a.py": TEXT, "b.py": TEXT}, files, {}, issue, 10)
    assert found[0].path == "b.py"


def test_what_does_not_parse_is_not_proposed() -> None:
    issue = "`return data` should be `return data data`"
    assert all("data data" not in text for text in every(issue))


def test_code_lines_without_prompts_and_signs() -> None:
    found = blocks(">>> a = f(1)\n>>> b = f(2)\nThis is a sentence.\n- x.y = 1\n+ x.y = 2\n")
    assert [one.lines for one in found] == [("a = f(1)", "b = f(2)"), ("x.y = 1", "x.y = 2")]
    assert found[1].signs == ("-", "+")
    assert [one.text for one in fragments("say `foo(x)` or foo.bar(y)")] == ["foo(x)", "foo.bar(y)"]


@pytest.mark.parametrize("line", ["elif x:", "else:", "except ValueError:", "return f(x)", "@a.b"])
def test_heads_and_single_lines(line: str) -> None:
    assert parses(line) == (line != "@a.b")


def test_an_edit_says_what_it_is() -> None:
    issue = "`return data` should be `return dict(data)`"
    best = max(quoted_edits(TEXT, Quotes(issue)), key=lambda one: one.score)
    assert (best.operation, best.line, best.quoted) == ("modify_line", 11, "return dict(data)")
