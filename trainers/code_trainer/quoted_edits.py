"""Edits that an issue writes out itself: what stands in a file gives way to what it quotes.

Three kinds of lines: a *pair*, a quoted piece that stands in the file and a quoted one like it that
does not; a quoted line that is *like* a statement of the file; and quoted statements without a
partner, which are *inserted* where the issue speaks of a change. Blocks: ``quoted_blocks.py``.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

from trainers.code_trainer.file_units import LEAST_ALIKE, Unit, alike, names_of, shifted, units_of
from trainers.code_trainer.quoted_blocks import aligned
from trainers.code_trainer.quoted_edit import MOST_TOGETHER, QuotedEdit, Replacement
from trainers.code_trainer.quotes import Fragment, Quotes, bare, parses

NEAR = 4
"""Lines between a wrong piece and a right one that the file has elsewhere too."""

MOST_ALIKE, MOST_LINES = 6, 6
"""Statements that a quoted one is put beside or in place of; lines of a block that is inserted."""

_DEFINES = ("def ", "class ", "async def ", "import ", "from ", "@")


def quoted_edits(text: str, quotes: Quotes) -> Iterator[QuotedEdit]:
    """Give the edits of a file that an issue writes out, in no order; some may not parse.

    Raises:
        SyntaxError: the file is no Python of this version.
    """
    lines = text.split("\n")
    units = units_of(text, lines)
    whole = bare(text)
    new = [one for one in quotes.fragments if bare(one.text) not in whole and one.sign != "-"]
    old = [one for one in quotes.fragments if bare(one.text) in whole and one.sign != "+"]
    told = [one for one in old if quotes.cue(one.place)]  # it may be right in another place
    yield from _pairs(old, new, units, quotes)
    yield from _pairs(old, told, units, quotes, known=True)
    lone = [one for one in new if parses(one.text)]
    yield from _like(lone, units, quotes)
    yield from _inserted(_statements(lone, whole, quotes), units, quotes)
    for block in quotes.blocks:
        yield from aligned(block, lines, quotes)


def _pairs(
    old: Iterable[Fragment],
    new: Sequence[Fragment],
    units: Sequence[Unit],
    quotes: Quotes,
    *,
    known: bool = False,
) -> Iterator[QuotedEdit]:
    """``known``: the new pieces stand in the file too; only what is told near each other counts."""
    for one in old:
        wanted = bare(one.text)
        standing = [unit for unit in units if wanted in unit.bare]
        for other in new if standing else ():
            if known and not 0 < other.place - one.place <= NEAR:
                continue
            text = bare(other.text)
            places = [unit for unit in standing if text not in unit.bare]
            if places and (likeness := alike(wanted, text)) >= LEAST_ALIKE:
                features = {
                    "kind.pair": 1.0,
                    "alike": likeness,
                    "signed": float(bool(one.sign and other.sign)),
                    "cue": max(quotes.cue(one.place), quotes.cue(other.place)),
                    "apart": math.log1p(abs(other.place - one.place)),
                    "after": float(other.place >= one.place),
                    "length": math.log(len(text)),
                    "places": math.log(len(places)),
                    "known": float(known),
                }
                yield from _replaced(places, wanted, other.text, features)


def _replaced(
    places: Sequence[Unit], wanted: str, new: str, features: dict[str, float]
) -> Iterator[QuotedEdit]:
    """A piece replaced in each of some statements, and in all of them."""
    edits = [_within(unit, wanted, new) for unit in places]
    for unit, edit in zip(places, edits, strict=True):
        yield QuotedEdit((edit,), {**features, "whole": float(unit.bare == wanted)}, new)
    if 1 < len(edits) <= MOST_TOGETHER:
        yield QuotedEdit(tuple(edits), {**features, "all": 1.0}, new)


def _within(unit: Unit, wanted: str, new: str) -> Replacement:
    """The unit with a piece replaced; ``wanted`` has no blanks."""
    places = [place for place, letter in enumerate(unit.text) if not letter.isspace()]
    first = unit.bare.index(wanted)
    start, end = places[first], places[first + len(wanted) - 1] + 1
    return unit.start, unit.end, tuple((unit.text[:start] + new + unit.text[end:]).split("\n"))


def _like(new: Iterable[Fragment], units: Sequence[Unit], quotes: Quotes) -> Iterator[QuotedEdit]:
    """A quoted line in place of the statements most like it."""
    for one in new:
        names, text = names_of(one.text), bare(one.text)
        likely = [u for u in units if 2 * len(names & u.names) >= max(len(names), 2)]
        likely = [unit for unit in likely if unit.head == one.text.endswith(":")]
        scored = [(alike(text, unit.bare), unit) for unit in likely]
        scored = [item for item in scored if item[0] >= LEAST_ALIKE]
        features = {
            "kind.like": 1.0,
            "signed": float(one.sign == "+"),
            "cue": quotes.cue(one.place),
            "length": math.log(len(text)),
            "places": math.log(max(1, len(scored))),
        }
        for likeness, unit in sorted(scored, key=lambda item: -item[0])[:MOST_ALIKE]:
            edit = (unit.start, unit.end, (" " * unit.indent + one.text,))
            yield QuotedEdit((edit,), {**features, "alike": likeness}, one.text)


_Statements = tuple[int, str, tuple[str, ...]]
"""Where in the issue, its sign, and the lines."""


def _statements(lone: Iterable[Fragment], whole: str, quotes: Quotes) -> Iterator[_Statements]:
    """Give the quoted statements that could be added; the issue has to speak of a change."""
    found: list[_Statements] = [
        (one.place, one.sign, (one.text,)) for one in lone if not one.text.endswith(":")
    ]
    for block in quotes.blocks:
        first = block.lines[0].strip()
        new = bare(first) not in whole and not first.startswith(_DEFINES)
        if new and 1 < len(block.lines) <= MOST_LINES:
            found.append((block.place, block.signs[0], block.lines))
    yield from (one for one in found if quotes.cue(one[0]) or one[1] == "+")


def _inserted(
    told: Iterable[_Statements], units: Sequence[Unit], quotes: Quotes
) -> Iterator[QuotedEdit]:
    """Quoted statements before and after the statements most like the first of them."""
    for place, sign, lines in told:
        names, text = names_of(lines[0]), bare(lines[0])
        head = lines[0].endswith(":")
        likely = [unit for unit in units if len(names & unit.names) > 1 and unit.head == head]
        scored = sorted(
            ((alike(text, unit.bare), unit) for unit in likely), key=lambda item: -item[0]
        )
        for likeness, unit in scored[:MOST_ALIKE]:
            for at in (unit.body_end, unit.start):
                features = {
                    "kind.insert": 1.0,
                    "alike": likeness,
                    "signed": float(sign == "+"),
                    "cue": quotes.cue(place),
                    "length": math.log(len(text)),
                    "end": float(at > unit.start),
                }
                new = tuple(shifted(line, unit.indent) for line in lines)
                yield QuotedEdit(((at, at, new),), features, "\n".join(lines))
