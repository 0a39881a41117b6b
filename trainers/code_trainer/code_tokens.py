"""Python text as tokens and back, fragments too: an edited line alone seldom tokenises by itself.

A line's end is a token that says how the next line is indented against the statement before it
(``<NL+4>``), so that the same tokens fit at any depth. Spaces within a line are not kept: they are
put back by the rules of PEP 8. Strings and comments are one token each.
"""

import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass

BLANK = "<BLANK>"
ALIGNED = "<NL(>"
STEPS = (0, 4, 8, 12, -4, -8, -12, -16)
LINE_ENDS = (BLANK, ALIGNED, *(f"<NL{step:+d}>" for step in STEPS))
"""What a line's end may be: an empty line after it, aligned with the open bracket, or by steps."""

_OPERATORS = tuple(
    re.findall(
        r"\S+",
        "... **= //= >>= <<= != == <= >= -> := += -= *= /= %= &= |= ^= @= ** // << >> "
        "+ - * / % @ & | ^ ~ < > = ( ) [ ] { } , : . ;",
    )
)
SYNTAX = (*keyword.kwlist, *_OPERATORS)
"""Keywords and operators: what every vocabulary holds."""

_TOKEN = re.compile(
    r"""
    (?P<line>\\?\r?\n[ \t]*)
    | (?P<comment>\#[^\n]*)
    | (?P<string>(?i:[rbfu]{0,2})(?:
        \"{3}(?:\\[\s\S]|[^\\])*?\"{3} | '{3}(?:\\[\s\S]|[^\\])*?'{3}
        | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'))
    | (?P<number>(?i:0[xob][\da-f_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:e[+-]?\d+)?j?))
    | (?P<name>\w+)
    | (?P<operator>"""
    + "|".join(re.escape(operator) for operator in _OPERATORS)
    + r""")
    | (?P<other>[^\s])
    """,
    re.VERBOSE,
)
_OPEN, _CLOSE = "([{", ")]}"
_UNARY = {"-", "+", "~", "*", "**", "@"}
_TIGHT = {".", "~"}
_VALUES = {"None", "True", "False", "..."}
_ENDS_VALUE = re.compile(r"[\w\"')\]}]$")


@dataclass(frozen=True)
class Token:
    """A token; ``start`` and ``end`` are where it is in its text, ``raw`` what it is there."""

    text: str
    start: int
    end: int
    raw: str


def lex(text: str) -> list[Token]:
    """The tokens of a text; of a fragment too, and of what is no Python."""
    return _lex(text)[0]


def after(text: str) -> "Layout":
    """The layout behind a text."""
    return _lex(text)[1]


def _lex(text: str) -> tuple[list[Token], "Layout"]:
    layout = Layout()
    found: list[Token] = []
    matches = list(_TOKEN.finditer(text))
    layout.begin(text[: matches[0].start()] if matches else text)
    for i, match in enumerate(matches):
        following = matches[i + 1] if i + 1 < len(matches) else None
        raw = match.group()
        name = raw
        if match.lastgroup == "line":
            blank = following is not None and following.lastgroup == "line"
            name = BLANK if blank else layout.line_end(_width(raw))
        found.append(Token(name, match.start(), match.end(), raw))
        previous = found[-2].end if len(found) > 1 else match.start()
        layout.push(name, raw, match.start() - previous)
    return found, layout


def words(text: str) -> list[str]:
    """The token texts alone."""
    return [token.text for token in lex(text)]


class Layout:
    """Where the next token goes: the indentation, the open brackets and what stands before."""

    def __init__(self) -> None:
        self._indent = 0
        self._column = 0
        self._open: list[tuple[str, int]] = []
        self._previous = ""
        self._unary = False

    def begin(self, gap: str) -> None:
        """Start on a line with some space before its first token."""
        self._indent = self._column = len(gap.expandtabs(8))

    def line_end(self, indent: int) -> str:
        """The line end that leads to a line of an indentation: the nearest that there is."""
        if self._open and indent == self._open[-1][1]:
            return ALIGNED
        step = min(STEPS, key=lambda s: (abs(self._indent + s - indent), s))
        return f"<NL{step:+d}>"

    def raw(self, token: str) -> str:
        """The characters of a token here."""
        if token == BLANK:
            return "\n"
        if token == ALIGNED:
            return "\n" + " " * (self._open[-1][1] if self._open else self._indent)
        if token in LINE_ENDS:
            return "\n" + " " * max(0, self._indent + int(token[3:-1]))
        return token

    def push(self, token: str, raw: str, gap: int) -> None:
        """Put a token ``gap`` spaces after the last."""
        self._unary = token in _UNARY and not self._value_before()
        self._column += gap + len(raw)
        if token in LINE_ENDS:
            self._column = _width(raw)
            if token != BLANK and not self._open:
                self._indent = self._column
        elif token in _OPEN:
            self._open.append((token, self._column))
        elif token in _CLOSE and self._open:
            self._open.pop()
        elif "\n" in raw:  # a string of several lines
            self._column = len(raw) - raw.rindex("\n") - 1
        self._previous = token

    def gap(self, token: str) -> str:
        """The space before a token, by PEP 8."""
        before = self._previous
        if not before or before in LINE_ENDS or token in LINE_ENDS:
            return ""
        if token.startswith("#"):
            return "  "
        if before in _OPEN or before in _TIGHT or self._unary:
            return ""
        if token in _CLOSE or token in {",", ";"}:
            return ""
        if before in {",", ";"}:
            return " "
        return self._gap_within(before, token)

    def _gap_within(self, before: str, token: str) -> str:
        inside = self._open[-1][0] if self._open else ""
        if token == ":":
            return ""
        if before == ":":
            return "" if inside == "[" else " "
        if token == ".":
            return " " if before in {"from", "import"} else ""
        if "=" in (token, before) and inside == "(":
            return ""
        if "**" in (token, before):
            return ""
        if token in {"(", "["}:
            calls = self._value_before() and before not in {"in", "not"}
            return "" if calls else " "
        return " "

    def _value_before(self) -> bool:
        """True where the token before ends a value, so that an operator here has two operands."""
        before = self._previous
        if keyword.iskeyword(before) and before not in _VALUES:
            return False
        return bool(_ENDS_VALUE.search(before)) or before in _VALUES


def render(tokens: Sequence[str], before: str = "") -> tuple[str, Layout]:
    """The characters of tokens after a text, and the layout behind them.

    The space between the text and the first token is part of what comes back.
    """
    layout = after(before)
    parts = []
    for token in tokens:
        gap, raw = layout.gap(token), layout.raw(token)
        layout.push(token, raw, len(gap))
        parts += [gap, raw]
    return "".join(parts), layout


def _width(raw: str) -> int:
    """Indentation of the line that a line end begins, tabs as eight columns."""
    return len(raw[raw.rindex("\n") + 1 :].expandtabs(8))
