"""Reads Python into lexemes by logical lines, whether it parses or not.

One reader of regular expressions serves sound and broken programs alike, so that a missing bracket
changes its neighbourhood and not the way in which the rest is read. On sound programs it gives the
tokens and logical lines of Python's ``tokenize`` (held by tests). A row is an indent lexeme, its
tokens and an end-of-line lexeme; one end lexeme closes the program. Spaces, comments and docstrings
(any statement that is only a string) belong to no lexeme: they are the gap before the next one, so
that gaps and texts put together are the source, byte for byte.
"""

import re
from keyword import iskeyword
from typing import NamedTuple

EOL, END = "<eol>", "<end>"
MAX_LEVEL = 15
"""The deepest indentation that has a lexeme; what is deeper is read as this."""

CLOSING, OPENING = frozenset(")]}"), frozenset("([{")
OPERATORS = [
    "**=",
    "//=",
    ">>=",
    "<<=",
    "...",
    "!=",
    "->",
    "**",
    "//",
    ">>",
    "<<",
    "<=",
    ">=",
    "==",
    ":=",
    "+=",
    "-=",
    "*=",
    "/=",
    "%=",
    "&=",
    "|=",
    "^=",
    "@=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "@",
    "&",
    "|",
    "^",
    "~",
    "<",
    ">",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    ".",
    ";",
    "=",
]
_PREFIX = r"(?:[bB][rR]|[rR][bBfF]|[fF][rR]|[bBrRuUfF])?"
_TOKEN = re.compile(
    r"(?P<space>[ \t\f\r]*\\\r?\n|[ \t\f]+|\r(?!\n))"
    r"|(?P<comment>\#[^\n]*)"
    r"|(?P<newline>\r?\n)"
    rf"|(?P<string>{_PREFIX}(?:'''(?:[^'\\]|\\[\s\S]|'(?!''))*'''"
    r'|"""(?:[^"\\]|\\[\s\S]|"(?!""))*"""'
    r"|'(?!'')(?:[^'\\\n]|\\[\s\S])*'"
    r'|"(?!"")(?:[^"\\\n]|\\[\s\S])*"))'
    r"|(?P<number>0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO](?:_?[0-7])+"
    r"|(?:\d(?:_?\d)*\.(?:\d(?:_?\d)*)?|\.\d(?:_?\d)*|\d(?:_?\d)*)(?:[eE][-+]?\d(?:_?\d)*)?[jJ]?)"
    r"|(?P<name>\w+)"
    rf"|(?P<op>{'|'.join(re.escape(op) for op in OPERATORS)})"
    rf"|(?P<quote>{_PREFIX}(?:'''|\"\"\"|['\"]))"
    r"|(?P<other>[\s\S])"
)
_LAYOUT = re.compile(r"(?:\s|\\\r?\n|#[^\n]*)*")
_STATEMENTS = frozenset(
    [
        "def",
        "class",
        "return",
        "raise",
        "import",
        "from",
        "try",
        "except",
        "finally",
        "while",
        "with",
        "assert",
        "del",
        "global",
        "nonlocal",
        "pass",
        "break",
        "continue",
        "elif",
    ]
)
_CONTINUING = frozenset(["if", "else", "for", "in", "and", "or", "not", "is", "async"])
_BLOCK = re.compile(r"(?:(?:if|for|async)\b[^\n]*|else\s*):[ \t]*(?:#[^\n]*)?(?:\n|$)")
_OPERANDS = ("None", "True", "False")
_DOCSTRING = re.compile(r"[rRuU]?['\"]")


class Lexeme(NamedTuple):
    """A lexeme: what it is (``value``), how it is written, and the layout before it.

    ``value`` is the text, or ``<ind2>``, ``<odd2>`` (a dedent to no level), ``<eol>``, ``<end>``.
    """

    value: str
    text: str
    gap: str


class Reading(NamedTuple):
    """The lexemes of a program, and the white space of each level of indentation."""

    lexemes: tuple[Lexeme, ...]
    widths: tuple[str, ...]


def indent(level: int, *, odd: bool = False) -> str:
    """The value of an indent lexeme."""
    return f"<{'odd' if odd else 'ind'}{min(level, MAX_LEVEL)}>"


def level_of(value: str) -> int | None:
    """The level of an indent lexeme; None for any other."""
    is_indent = value.startswith(("<ind", "<odd")) and value.endswith(">")
    return int(value[4:-1]) if is_indent else None


def is_string(value: str) -> bool:
    """Tell whether a lexeme is a whole string literal."""
    match = _TOKEN.match(value)
    return match is not None and match.lastgroup == "string"


def is_quote(value: str) -> bool:
    """Tell whether a lexeme is a quote that opens or closes no literal."""
    return value[-1:] in ("'", '"') and not is_string(value)


def is_name(value: str) -> bool:
    """Tell whether a lexeme is an identifier and no keyword."""
    return value.isidentifier() and not iskeyword(value)


def is_number(value: str) -> bool:
    """Tell whether a lexeme is a number."""
    return value[:1].isdigit() or (value[:1] == "." and value[1:2].isdigit())


def tokens_of(text: str) -> list[str]:
    """The values of the tokens of a text, without rows."""
    kinds = ("space", "comment", "newline")
    return [m.group() for m in _TOKEN.finditer(text) if m.lastgroup not in kinds]


def explode(literal: str) -> list[str]:
    """A string literal as its quotes and what the text between them would be as code."""
    start = min(i for i in (literal.find("'"), literal.find('"')) if i >= 0)
    width = 3 if literal[start : start + 3] in ("'''", '"""') else 1
    opening, closing = literal[: start + width], literal[-width:]
    return [opening, *tokens_of(literal[start + width : -width]), closing]


def read(code: str) -> Reading:
    """Read a program; nothing is refused."""
    reader = _Reader(code)
    for match in _TOKEN.finditer(code):
        kind = match.lastgroup
        if kind == "newline":
            reader.newline(match.start(), match.end())
        elif kind not in ("space", "comment"):
            reader.token(match.group(), match.start(), match.end())
    return reader.ended()


class _Reader:
    """The state of one reading: what is done, the row that is open, brackets and indentation."""

    def __init__(self, code: str) -> None:
        self._code = code
        self._out: list[Lexeme] = []
        self._done = 0  # up to here the source is in lexemes or their gaps
        self._row = -1  # where the open row begins in _out; -1: none is open
        self._row_from = 0  # _done before the open row
        self._depth = 0
        self._columns: list[int] = []
        self._widths: list[str] = []

    def token(self, text: str, start: int, end: int) -> None:
        if self._row < 0:
            self._open(start)
        self._emit(text, start, end)
        if text in OPENING:
            self._depth += 1
        elif text in CLOSING:
            self._depth = max(self._depth - 1, 0)

    def newline(self, start: int, end: int) -> None:
        if self._row < 0 or (self._depth and not self._is_cut(end)):
            return
        self._close(start, end)

    def ended(self) -> Reading:
        length = len(self._code)
        if self._row >= 0:
            self._close(length, length)
        self._emit(END, length, length, "")
        return Reading(tuple(self._out), tuple(self._widths))

    def _emit(self, value: str, start: int, end: int, text: str | None = None) -> None:
        gap = self._code[self._done : start]
        self._out.append(Lexeme(value, value if text is None else text, gap))
        self._done = end

    def _open(self, start: int) -> None:
        self._row, self._row_from = len(self._out), self._done
        line = max(self._code.rfind("\n", 0, start) + 1, self._done)
        white = self._code[line:start]
        column = len(white.rpartition("\f")[2].expandtabs())
        if not self._columns:
            self._columns, self._widths = [column], [white]
        dedent = column < self._columns[-1]
        while len(self._columns) > 1 and column < self._columns[-1]:
            self._columns.pop()
        odd = dedent and column != self._columns[-1]
        if not dedent and column > self._columns[-1]:
            self._columns.append(column)
        level = len(self._columns) - 1
        if not odd and level == len(self._widths):
            self._widths.append(white)
        self._emit(indent(level, odd=odd), line, start, white)

    def _close(self, start: int, end: int) -> None:
        if all(map(_is_docstring, self._out[self._row + 1 :])):
            del self._out[self._row :]
            self._done = self._row_from
        else:
            self._emit(EOL, start, end, self._code[start:end])
        self._row, self._depth = -1, 0

    def _is_cut(self, after: int) -> bool:
        """Tell whether the row ends at this line break although a bracket is open.

        It does where no expression can go on: two operands would follow each other, or a statement
        begins. In sound programs neither happens within brackets.
        """
        at = _LAYOUT.match(self._code, after).end()  # type: ignore[union-attr]
        match = _TOKEN.match(self._code, at)
        if match is None:
            return True
        following, kind, before = match.group(), match.lastgroup, self._out[-1].value
        if following in _STATEMENTS:
            return not (following == "from" and before == "yield")
        if before == ":" and following.endswith(('"""', "'''")):
            return self._out[self._row + 1].value in ("def", "class", "async")
        if _BLOCK.match(self._code, at):
            column = at - self._code.rfind("\n", 0, at) - 1
            return column <= self._columns[-1]
        starts = (kind == "name" and following not in _CONTINUING) or kind in ("number", "string")
        ends = before in _OPERANDS or before in CLOSING or is_name(before) or is_number(before)
        after_string = is_string(before)
        return starts and (ends or (after_string and kind != "string"))


def _is_docstring(lexeme: Lexeme) -> bool:
    return _DOCSTRING.match(lexeme.value) is not None and is_string(lexeme.value)
