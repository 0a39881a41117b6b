"""Edits that an issue writes out itself: what stands in a file gives way to what it quotes.

Three kinds: a *pair*, a quoted piece that stands in the file and a quoted one like it that does
not; a quoted line that is *like* a statement of the file; and a quoted *block* that agrees with the
file in some lines and differs in others. A quoted line without a partner is *inserted* where the
issue speaks of a change.
"""

import ast
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property, lru_cache

from trainers.code_trainer.quotes import Block, Fragment, bare, blocks, fragments, parses
from trainers.tasks.python_source import parse

LEAST_ALIKE = 0.5
"""Similarity below which a quoted line is not a new form of what stands in a file."""

NEAR = 4
"""Lines between a wrong piece and a right one that the file has elsewhere too."""

MOST_FRAGMENTS, MOST_INSERTED, MOST_LINES = 80, 6, 6
_WINDOW = 6  # lines of a file around a block that is laid beside it
_ANCHOR = 8  # characters of a line that tells where a block belongs
_CUES = re.compile(
    r"\b(?:should|instead|chang\w+|replac\w+|fix\w*|add\w*|suggest\w*|propos\w+|correct\w*|"
    r"patch|solution|solve\w*|work\w*|insert\w*|modif\w+|better|must|needs?)\b",
    re.I,
)
_DEFINES = ("def ", "class ", "async def ", "import ", "from ", "@")
_NAME = re.compile(r"[^\W\d]\w*")

WEIGHTS: Mapping[str, float] = {
    "kind.pair": 2.0, "kind.block": 1.0, "kind.like": 0.5, "kind.insert": -2.0,
    "alike": 3.0, "signed": 2.0, "cue": 1.0, "apart": -0.4, "after": 0.5, "whole": 0.5,
    "length": 0.4, "places": -1.0, "all": -1.0, "end": 0.3,
    "known": -1.0,
}  # fmt: skip
"""Of the features, set by hand: logarithms of how much likelier each makes an edit."""


@dataclass(frozen=True)
class QuotedEdit:
    """Lines ``start`` to ``end`` (from 0, ``end`` excluded) give way to ``lines``."""

    replacements: tuple[tuple[int, int, tuple[str, ...]], ...]
    features: Mapping[str, float]
    quoted: str

    @property
    def score(self) -> float:
        """The logarithm of how likely it was taken to be, up to a constant."""
        return sum(WEIGHTS[name] * value for name, value in self.features.items())

    @property
    def line(self) -> int:
        """The first changed line, from 1."""
        return self.replacements[0][0] + 1

    @property
    def operation(self) -> str:
        """One of the seed's six operations."""
        return (
            "modify_line" if any(end > start for start, end, _ in self.replacements) else "add_line"
        )

    def applied(self, lines: Sequence[str]) -> str:
        """The text with the edit in it; ``lines`` of the old one, without their ends."""
        made = list(lines)
        for start, end, new in sorted(self.replacements, reverse=True):
            made[start:end] = new
        return "\n".join(made)


@dataclass(frozen=True)
class Unit:
    """A simple statement, or the head of a block: lines ``start`` to ``end`` (excluded)."""

    start: int
    end: int
    text: str
    head: bool
    body_end: int

    @cached_property
    def bare(self) -> str:
        """The text without blanks."""
        return bare(self.text)

    @cached_property
    def names(self) -> frozenset[str]:
        """The words of the text."""
        return frozenset(_NAME.findall(self.text))

    @property
    def indent(self) -> str:
        """The blanks before it."""
        return self.text[: len(self.text) - len(self.text.lstrip())]


@dataclass(frozen=True)
class Quotes:
    """What an issue quotes, found once for all files."""

    issue: str
    fragments: tuple[Fragment, ...] = field(init=False)
    blocks: tuple[Block, ...] = field(init=False)
    cues: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        lines = self.issue.splitlines()
        told = {number for number, line in enumerate(lines) if _CUES.search(line)}
        object.__setattr__(self, "fragments", tuple(fragments(self.issue)[:MOST_FRAGMENTS]))
        object.__setattr__(self, "blocks", tuple(blocks(self.issue)[:MOST_FRAGMENTS]))
        object.__setattr__(self, "cues", frozenset(told))

    def cue(self, place: int) -> float:
        """1 where a line speaks of a change, or one of the two before it."""
        return float(any(near in self.cues for near in range(place - 2, place + 1)))


def quoted_edits(text: str, quotes: Quotes) -> Iterator[QuotedEdit]:
    """Give the edits of a file that an issue writes out, in no order; some may not parse.

    Raises:
        SyntaxError: the file is no Python of this version.
    """
    lines = text.split("\n")
    units = _units(text, lines)
    whole = bare(text)
    new = [one for one in quotes.fragments if bare(one.text) not in whole and one.sign != "-"]
    old = [one for one in quotes.fragments if bare(one.text) in whole and one.sign != "+"]
    told = [one for one in old if quotes.cue(one.place)]  # it may be right in another place
    yield from _pairs(old, new, units, quotes)
    yield from _pairs(old, told, units, quotes, known=True)
    lone = [one for one in new if parses(one.text)]
    yield from _alike(lone, units, quotes)
    yield from _inserted(lone, units, quotes, whole)
    for block in quotes.blocks:
        yield from _aligned(block, lines, quotes)


def _units(text: str, lines: Sequence[str]) -> list[Unit]:
    found = []
    for node in ast.walk(parse(text)):
        if not isinstance(node, ast.stmt) or node.end_lineno is None or _is_text(node):
            continue
        start, end = node.lineno - 1, node.end_lineno
        body: list[ast.stmt] = getattr(node, "body", None) or []
        head = bool(body)
        if body:
            end = max(start + 1, _first_line(body[0]) - 1)
            while end > start + 1 and not lines[end - 1].split("#")[0].rstrip().endswith(":"):
                end -= 1
        unit = Unit(start, end, "\n".join(lines[start:end]), head, node.end_lineno)
        found.append(unit)
    return sorted(found, key=lambda unit: (unit.start, unit.end))


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(one.lineno for one in decorators)])


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
            text = bare(other.text)
            if known and not 0 < other.place - one.place <= NEAR:
                continue
            alike = _ratio(wanted, text)
            places = [unit for unit in standing if text not in unit.bare]
            if alike < LEAST_ALIKE or not places:
                continue
            features = {
                "kind.pair": 1.0,
                "alike": alike,
                "signed": float(bool(one.sign and other.sign)),
                "cue": max(quotes.cue(one.place), quotes.cue(other.place)),
                "apart": math.log1p(abs(other.place - one.place)),
                "after": float(other.place >= one.place),
                "length": math.log(len(text)),
                "places": math.log(len(places)),
                "known": float(known),
            }
            edits = [_within(unit, wanted, other.text) for unit in places]
            for unit, edit in zip(places, edits, strict=True):
                told = {**features, "whole": float(unit.bare == wanted)}
                yield QuotedEdit((edit,), told, other.text)
            if 1 < len(edits) <= 4:
                yield QuotedEdit(tuple(edits), {**features, "all": 1.0}, other.text)


def _within(unit: Unit, wanted: str, new: str) -> tuple[int, int, tuple[str, ...]]:
    """The unit with a piece replaced; ``wanted`` has no blanks."""
    places = [place for place, letter in enumerate(unit.text) if not letter.isspace()]
    first = unit.bare.index(wanted)
    start, end = places[first], places[first + len(wanted) - 1] + 1
    text = unit.text[:start] + new + unit.text[end:]
    return unit.start, unit.end, tuple(text.split("\n"))


def _alike(new: Iterable[Fragment], units: Sequence[Unit], quotes: Quotes) -> Iterator[QuotedEdit]:
    for one in new:
        names, text = frozenset(_NAME.findall(one.text)), bare(one.text)
        likely = [u for u in units if 2 * len(names & u.names) >= max(len(names), 2)]
        scored = [
            (alike, unit)
            for unit in likely
            if unit.head == one.text.endswith(":")
            and (alike := _ratio(text, unit.bare)) >= LEAST_ALIKE
        ]
        features = {
            "kind.like": 1.0,
            "signed": float(one.sign == "+"),
            "cue": quotes.cue(one.place),
            "length": math.log(len(text)),
            "places": math.log(max(1, len(scored))),
        }
        for alike, unit in sorted(scored, key=lambda item: -item[0])[:MOST_INSERTED]:
            edit = (unit.start, unit.end, (unit.indent + one.text,))
            yield QuotedEdit((edit,), {**features, "alike": alike}, one.text)


def _inserted(
    new: Iterable[Fragment], units: Sequence[Unit], quotes: Quotes, whole: str
) -> Iterator[QuotedEdit]:
    """Quoted statements before and after the statements most like the first of them."""
    told: list[tuple[int, str, tuple[str, ...]]] = [
        (one.place, one.sign, (one.text,)) for one in new if not one.text.endswith(":")
    ]
    for block in quotes.blocks:
        text = block.lines[0].strip()
        if (
            1 < len(block.lines) <= MOST_LINES
            and bare(text) not in whole
            and not text.startswith(_DEFINES)
        ):
            told.append((block.place, block.signs[0], block.lines))
    for place, sign, lines in told:
        if not (quotes.cue(place) or sign == "+"):
            continue
        names, text = frozenset(_NAME.findall(lines[0])), bare(lines[0])
        head = lines[0].endswith(":")
        scored = sorted(
            (
                (_ratio(text, u.bare), u)
                for u in units
                if len(names & u.names) > 1 and u.head == head
            ),
            key=lambda item: -item[0],
        )
        for alike, unit in scored[:MOST_INSERTED]:
            for at in (unit.body_end, unit.start):
                features = {
                    "kind.insert": 1.0,
                    "alike": alike,
                    "signed": float(sign == "+"),
                    "cue": quotes.cue(place),
                    "length": math.log(len(text)),
                    "end": float(at > unit.start),
                }
                shifted = tuple(_shifted(line, _indent(unit.text)) for line in lines)
                yield QuotedEdit(((at, at, shifted),), features, "\n".join(lines))


def _aligned(block: Block, lines: Sequence[str], quotes: Quotes) -> Iterator[QuotedEdit]:
    """What a block has that the file has not, between lines that both have."""
    if len(block.lines) < 2:
        return
    mine = [bare(line) for line in block.lines]
    file = [bare(line) for line in lines]
    starts: dict[int, None] = {}
    for place, text in enumerate(mine):
        if len(text) >= _ANCHOR and file.count(text) in (1, 2, 3):
            for line, other in enumerate(file):
                if other == text:
                    starts.setdefault(max(0, line - place - _WINDOW), None)
    for start in list(starts)[:MOST_INSERTED]:
        end = start + len(mine) + 2 * _WINDOW
        edits, matched = _differences(block, mine, lines, file, start, min(end, len(file)))
        features = {
            "kind.block": 1.0,
            "alike": matched / len(mine),
            "signed": float(any(block.signs)),
            "cue": quotes.cue(block.place),
            "length": math.log(max(1, sum(map(len, mine)))),
        }
        for edit in edits:
            yield QuotedEdit((edit,), features, "\n".join(edit[2]))
        if 1 < len(edits) <= 4:
            yield QuotedEdit(tuple(edits), {**features, "all": 1.0}, "\n".join(block.lines))


def _differences(
    block: Block, mine: list[str], lines: Sequence[str], file: list[str], start: int, end: int
) -> tuple[list[tuple[int, int, tuple[str, ...]]], int]:
    """The edits that make the file as the block is; how many lines both have."""
    kept = [n for n, sign in enumerate(block.signs) if sign != "-"]
    codes = SequenceMatcher(None, file[start:end], [mine[n] for n in kept], False).get_opcodes()
    matched = sum(b - a for tag, a, b, _, _ in codes if tag == "equal")
    found: list[tuple[int, int, tuple[str, ...]]] = []
    for number, (tag, a, b, c, d) in enumerate(codes):
        near = [codes[n] for n in (number - 1, number + 1) if 0 <= n < len(codes)]
        anchors = [one for one in near if one[0] == "equal"]
        if tag not in ("replace", "insert") or not anchors:
            continue
        _, before, _, other, _ = anchors[0]
        shift = _indent(lines[start + before]) - _indent(block.lines[kept[other]])
        new = tuple(_shifted(block.lines[kept[n]], shift) for n in range(c, d))
        inside = len(anchors) == 2 and b - a <= 2 * (d - c) + 1
        stop = (
            b
            if tag == "insert"
            or inside
            or _ratio("".join(file[start + a : start + b]), "".join(map(bare, new))) >= LEAST_ALIKE
            else a
        )
        found.append((start + a, start + stop, new))
    return found, matched


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _shifted(line: str, by: int) -> str:
    return " " * max(0, _indent(line) + by) + line.lstrip()


@lru_cache(maxsize=20_000)
def _ratio(one: str, other: str) -> float:
    """How alike two texts are, 0 where less than what counts; files share many questions."""
    if 2 * min(len(one), len(other)) < LEAST_ALIKE * (len(one) + len(other)):
        return 0.0
    matcher = SequenceMatcher(None, one, other, False)
    if matcher.real_quick_ratio() < LEAST_ALIKE or matcher.quick_ratio() < LEAST_ALIKE:
        return 0.0
    return matcher.ratio()
