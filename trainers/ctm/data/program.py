"""A program as lexemes with its layout: edited lexeme by lexeme, written back as text.

What no edit touches is written as it was. A new lexeme gets the spaces that keep it apart from its
neighbours, and an indent lexeme the white space that the program has at that level.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from trainers.ctm.data import edits
from trainers.ctm.data.edits import MAX_EDITS, Edit, Op
from trainers.ctm.data.lexemes import (
    CLOSING,
    END,
    EOL,
    OPENING,
    Lexeme,
    explode,
    is_name,
    is_quote,
    is_string,
    level_of,
    read,
    tokens_of,
)

_UNIT = "    "
_NO_SPACE_BEFORE = frozenset({",", ":", ".", ";"}) | CLOSING
_NO_SPACE_AFTER = frozenset({"."}) | OPENING
_BLANK = " \t\f\r\n\\"
_AS_NEEDED = "\0"  # the gap of a new lexeme, until it is written
_APART = OPENING | CLOSING | {",", ";", " ", ""}


@dataclass(frozen=True)
class Program:
    """Lexemes in order, and the white space of each level of indentation."""

    lexemes: tuple[Lexeme, ...]
    widths: tuple[str, ...]

    @classmethod
    def of(cls, code: str) -> "Program":
        """Read source text, sound or broken."""
        reading = read(code)
        return cls(reading.lexemes, reading.widths)

    @cached_property
    def values(self) -> tuple[str, ...]:
        """What the lexemes are, without layout."""
        return tuple(lexeme.value for lexeme in self.lexemes)

    def spans(self) -> list[tuple[int, int]]:
        """Where each lexeme is in the source: from, to (characters). For programs without edits."""
        found, at = [], 0
        for lexeme in self.lexemes:
            at += len(lexeme.gap)
            found.append((at, at + len(lexeme.text)))
            at += len(lexeme.text)
        return found

    def apply(self, edit: Edit[str]) -> "Program":
        """The program after one edit."""
        lexemes = list(self.lexemes)
        at, old = edit.at, self.lexemes[edit.at]
        if edit.op is Op.DELETE:
            kept = _kept(old)
            after = self.lexemes[at + 1]
            gap = kept + after.gap.replace(_AS_NEEDED, "") if kept else after.gap
            lexemes[at : at + 2] = [after._replace(gap=gap)]
        else:
            value = edit.new or ""
            new = Lexeme(value, self._text(value), old.gap)
            inserted = edit.op is Op.INSERT_BEFORE
            lexemes[at : at + 1] = _parted(new, old) if inserted else (new,)
        return replace(self, lexemes=tuple(lexemes))

    def render(self) -> str:
        """The source text."""
        parts: list[str] = []
        previous: Lexeme | None = None
        for lexeme in self.lexemes:
            parts += _written(previous, lexeme)
            previous = lexeme
        return "".join(parts)

    def _text(self, value: str) -> str:
        level = level_of(value)
        if level is None:
            return "\n" if value == EOL else value
        if level < len(self.widths):
            return self.widths[level]
        last = self.widths[-1] if self.widths else ""
        unit = self.widths[1][len(self.widths[0]) :] if len(self.widths) > 1 else _UNIT
        return last + (unit or _UNIT) * (level - len(self.widths) + 1)


def repair_script(buggy: Program, fixed: Program, limit: int = MAX_EDITS) -> list[Edit[str]] | None:
    """The edits that repair a program; None where it needs more than ``limit``.

    A lone quote in the broken program is repaired by a quote: there a literal of the sound one
    counts as its quotes and the tokens between them.
    """
    found = edits.script(buggy.values, fixed.values, limit)
    if any(map(is_quote, buggy.values)):
        exploded = edits.script(buggy.values, exploded_values(buggy, fixed), limit)
        if exploded is not None and (found is None or len(exploded) < len(found)):
            return exploded
    return found


def exploded_values(buggy: Program, fixed: Program) -> list[str]:
    """The lexemes of the sound program, with the literals that the broken one lacks taken apart."""
    known = set(buggy.values)
    values: list[str] = []
    for value in fixed.values:
        values += explode(value) if value not in known and is_string(value) else [value]
    return values


def repaired(buggy: Program, script: Sequence[Edit[str]]) -> Program:
    """The program after all edits of a script, made one by one."""
    left = list(script)
    while left:
        buggy = buggy.apply(left[0])
        left = edits.remaining(left, 0)
    return buggy


def _written(previous: Lexeme | None, lexeme: Lexeme) -> list[str]:
    """The text of a lexeme with its gap, as it must be after the one before."""
    gap, text = lexeme.gap, lexeme.text
    if previous is None:
        return ["" if gap == _AS_NEEDED else gap, text]
    before = previous.value
    if level_of(lexeme.value) is not None:
        if before != EOL:
            return [" "]  # a line's indentation in the middle of a row is only white space
        gap = gap if gap != _AS_NEEDED else ""
        return [gap if previous.text else "\n" + gap, text]
    if level_of(before) is not None:
        continued = "\\" in gap and not gap.strip("\\ \t\r\n\f")
        return [gap if continued else "", text]
    if gap == _AS_NEEDED:
        gap = _usual_space(before, lexeme.value)
    if not gap and before != EOL and lexeme.value not in (EOL, END):
        gap = _needed_space(previous, lexeme)
    return [gap, text]


def _kept(deleted: Lexeme) -> str:
    """What stays of the layout before a lexeme that goes: comments and docstrings above it."""
    if deleted.value == EOL:  # a comment behind the line goes with the end of the line
        return deleted.gap[: deleted.gap.rfind("\n") + 1]
    return deleted.gap if deleted.gap.strip(_BLANK) else ""


def _parted(new: Lexeme, old: Lexeme) -> tuple[Lexeme, Lexeme]:
    """A lexeme and the one that it comes before; ``new`` has the gap of ``old``, to be shared."""
    at_line = level_of(old.value) is not None
    if at_line and level_of(new.value) is not None:
        # Comments and docstrings above a line stay above the line that comes before it.
        return new, old._replace(gap="")
    quote = is_quote(new.value)
    if at_line or old.value in (EOL, END) or new.value in _NO_SPACE_BEFORE:
        return new._replace(gap="" if quote else _AS_NEEDED), old
    return (
        new._replace(gap=new.gap or ("" if quote else _AS_NEEDED)),
        old._replace(gap="" if quote else _AS_NEEDED),
    )


def _usual_space(before: str, value: str) -> str:
    """The space that is usual between two lexemes of which one is new."""
    if before in _NO_SPACE_AFTER or value in _NO_SPACE_BEFORE or value in (EOL, END):
        return ""
    called = value in ("(", "[") and (is_name(before) or before in CLOSING)
    return "" if called else " "


def _needed_space(previous: Lexeme, lexeme: Lexeme) -> str:
    """A space, where two lexemes that touch would be read as one."""
    left, right = previous.text, lexeme.text
    if not right or left[-1:] in _APART or right[0] in _APART or is_quote(lexeme.value):
        return ""
    return "" if is_quote(previous.value) or tokens_of(left + right) == [left, right] else " "
