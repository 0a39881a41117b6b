"""Code that an issue quotes: fragments inside sentences, and blocks of lines.

People often write out the line that is wrong and the line that it should be; all added lines of 3 %
of SWE-bench's changes stand in their issues.
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from trainers.tasks.python_source import parse

_INLINE = re.compile(r"``([^`\n]{4,300})``|`([^`\n]{4,300})`")
_PROMPT = re.compile(r"^(?:>>> ?|\.\.\. ?|In \[\d+\]: ?|(?:> )+)")
_CODE = re.compile(
    r"[\w\])]\s*[(\[=.]\s*[\w\"'(\[{]|^(?:return|raise|if|elif|for|while|with|del)\b|:$"
    r"|^(?:continue|break|pass|return|raise)$"
)
_CALL = re.compile(r"(?<![\w.`])[A-Za-z_][\w.]*\.\w+\([^()\n]{0,200}\)")
_FENCE = re.compile(r"^\s*(?:```|~~~)")
_HEADER = re.compile(r"^(?:@@|diff |index |--- |\+\+\+ )")
_BRANCH = re.compile(r"^(?:elif\b|else\b|except\b|finally\b)")

_CUES = re.compile(
    r"\b(?:should|instead|chang\w+|replac\w+|fix\w*|add\w*|suggest\w*|propos\w+|correct\w*|"
    r"patch|solution|solve\w*|work\w*|insert\w*|modif\w+|better|must|needs?)\b",
    re.I,
)

MOST = 80
"""Fragments, and blocks, of an issue that are looked at: the first ones."""

LEAST = 6
"""Characters, blanks not counted, of a fragment that says something."""


@dataclass(frozen=True)
class Fragment:
    """A piece of code in one line. ``place``: the number of the line that it stands in.

    ``sign``: ``+`` or ``-`` where the issue shows a difference, else "".
    """

    text: str
    place: int
    sign: str = ""


@dataclass(frozen=True)
class Block:
    """Neighbouring lines of code with their own indentation; signs as of fragments."""

    lines: tuple[str, ...]
    signs: tuple[str, ...]
    place: int


@dataclass(frozen=True)
class Quotes:
    """What an issue quotes, found once for all files."""

    issue: str

    @cached_property
    def fragments(self) -> list[Fragment]:
        """Pieces of one line."""
        return fragments(self.issue)[:MOST]

    @cached_property
    def blocks(self) -> list[Block]:
        """Runs of lines."""
        return blocks(self.issue)[:MOST]

    def cue(self, place: int) -> float:
        """1 where a line speaks of a change, or one of the two before it."""
        return float(any(near in self._cues for near in range(place - 2, place + 1)))

    @cached_property
    def _cues(self) -> frozenset[int]:
        lines = enumerate(self.issue.splitlines())
        return frozenset(number for number, line in lines if _CUES.search(line))


def bare(text: str) -> str:
    """The text without blanks: how code is compared with code."""
    return re.sub(r"\s+", "", text)


def blocks(issue: str) -> list[Block]:
    """Runs of lines that look like code, of at least one line."""
    found: list[Block] = []
    run: list[tuple[str, str]] = []
    start = 0
    for number, raw in enumerate([*issue.expandtabs(4).splitlines(), ""]):
        line = _PROMPT.sub("", raw.rstrip())
        if _FENCE.match(line) or not _is_code(line):
            if run:
                found.append(_block(run, start))
            run = []
            continue
        if not run:
            start = number
        run.append(_signed(line))
    return found


def fragments(issue: str) -> list[Fragment]:
    """Pieces of code of one line, in the order of the issue, each once."""
    found: dict[tuple[str, str], Fragment] = {}
    for one in _all(issue):
        text = one.text.strip().rstrip(";").strip()
        if len(bare(text)) >= LEAST:
            found.setdefault((bare(text), one.sign), Fragment(text, one.place, one.sign))
    return sorted(found.values(), key=lambda one: one.place)


def parses(text: str) -> bool:
    """Whether a line could stand in Python, as the head of a block too."""
    text = text.strip()
    if _BRANCH.match(text):
        head = "try:\n pass\n" if text.startswith(("except", "finally")) else "if a:\n pass\n"
        text = head + text
    if text.endswith(":"):
        text += "\n pass"
    try:
        parse(f"def f():\n{textwrap.indent(text, ' ')}")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _all(issue: str) -> Iterator[Fragment]:
    for block in blocks(issue):
        for offset, (line, sign) in enumerate(zip(block.lines, block.signs, strict=True)):
            yield Fragment(line, block.place + offset, sign)
    for number, line in enumerate(issue.splitlines()):
        for match in _INLINE.finditer(line):
            yield Fragment(match[1] or match[2], number)
        for match in _CALL.finditer(line):
            yield Fragment(match[0], number)


def _signed(line: str) -> tuple[str, str]:
    """A line and its sign; the sign gives way to a blank, so that lines stay below each other."""
    if line[:1] in ("+", "-") and not line.startswith(("---", "+++")):
        return f" {line[1:]}", line[0]
    return line, ""


def _block(run: list[tuple[str, str]], start: int) -> Block:
    lines = textwrap.dedent("\n".join(line for line, _ in run)).split("\n")
    return Block(tuple(lines), tuple(sign for _, sign in run), start)


def _is_code(line: str) -> bool:
    text = _signed(line)[0].strip()
    if not text or _HEADER.match(line):
        return False
    return bool(_CODE.search(text)) and parses(text)
