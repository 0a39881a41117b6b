"""The reader of lexemes against Python's own tokenize, and on programs that do not parse."""

import ast
import io
import sysconfig
import tokenize
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.ctm.data.lexemes import END, EOL, explode, indent, level_of, read
from trainers.ctm.data.program import Program

LIBRARY = Path(sysconfig.get_path("stdlib"))
MODULES = sorted(LIBRARY.glob("*.py"))[::4] + sorted(LIBRARY.glob("asyncio/*.py"))


def rows_of(values: list[str]) -> list[list[str]]:
    rows: list[list[str]] = [[]]
    for value in values:
        if value == EOL:
            rows.append([])
        else:
            rows[-1].append(value)
    return [row for row in rows if row]


def string_statements(source: str) -> int:
    statements = (n.value for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Expr))
    return sum(isinstance(v, ast.Constant) and isinstance(v.value, str) for v in statements)


def tokenized(source: str) -> list[list[str]]:
    values = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NEWLINE:
            values.append(EOL)
        elif token.string.strip() and token.type not in (tokenize.COMMENT, tokenize.NL):
            values.append(token.string)
    return rows_of(values)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_sound_programs_have_tokenize_s_rows_and_tokens(path):
    source = path.read_text("utf-8")
    program = Program.of(source)
    ours = rows_of([v for v in program.values if level_of(v) is None and v != END])
    theirs = tokenized(source)
    ours_left = iter(ours)
    row = next(ours_left, None)
    skipped = 0
    for other in theirs:
        if row == other:
            row = next(ours_left, None)
        else:
            assert all(value[-1] in "'\"" for value in other)  # a docstring, and nothing else
            skipped += 1
    assert row is None
    assert skipped == string_statements(source)
    assert program.render() == source


@given(st.text(alphabet="ab1 \n\t()[]{}:,='\"\\#.+-if def", max_size=80) | st.text(max_size=40))
def test_gaps_and_texts_are_the_source_whatever_it_is(source):
    reading = read(source)
    assert "".join(one.gap + one.text for one in reading.lexemes) == source
    assert reading.lexemes[-1].value == END
    assert Program.of(source).render() == source


def test_an_open_bracket_does_not_swallow_the_lines_after_it():
    broken = "def f(a):\n    x = g(a\n    y = 1\n    return x\n"
    rows = rows_of(list(Program.of(broken).values))
    assert rows[1] == [indent(1), "x", "=", "g", "(", "a"]
    assert rows[2:4] == [[indent(1), "y", "=", "1"], [indent(1), "return", "x"]]


def test_an_unclosed_quote_is_a_lexeme_and_the_rest_is_code():
    values = Program.of("x = f('a b)\n").values
    assert values[2:9] == ("=", "f", "(", "'", "a", "b", ")")
    assert explode("'a b'") == ["'", "a", "b", "'"]
    assert explode('rb"""x"""') == ['rb"""', "x", '"""']


def test_levels_of_indentation_and_a_dedent_to_none():
    code = "if a:\n    if b:\n        c\n      d\n    e\n"
    levels = [value for value in Program.of(code).values if level_of(value) is not None]
    assert levels == [indent(0), indent(1), indent(2), indent(1, odd=True), indent(1)]


def test_comments_and_docstrings_are_in_no_lexeme():
    code = 'def f():\n    """Text."""\n    # why\n    return 1  # one\n'
    assert not {v for v in Program.of(code).values if "Text" in v or "#" in v}
