"""Applies a unified diff to texts in memory, as ``git apply`` does: whole context, moved lines.

A hunk goes where its line number says, else to the nearest place where all of its context stands;
there is no fuzz unless it is asked for. Lines end at a newline only, so that a carriage return is
part of its line.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from trainers.errors import TaskError

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_NOTHING = "/dev/null"
_NO_NEWLINE = "\\"


@dataclass
class Hunk:
    """Lines, each with its newline, that stand at line ``start`` (from 1), and what they become."""

    start: int
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)


@dataclass
class FilePatch:
    """What happens to one file; ``old`` None: it is new, ``new`` None: it goes."""

    old: str | None
    new: str | None
    hunks: list[Hunk] = field(default_factory=list)


def parse_patch(patch: str) -> list[FilePatch]:
    """Read a unified diff, git's or ``diff -u``'s.

    Raises:
        TaskError: a hunk has not the lines that its head counts, or nothing in it is a diff.
    """
    lines = _at_newlines(patch)
    files: list[FilePatch] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("rename from "):
            files.append(FilePatch(line[12:].rstrip("\n"), None))
        elif line.startswith("rename to ") and files:
            files[-1].new = line[10:].rstrip("\n")
        elif line.startswith("--- ") and lines[at + 1 : at + 2] and lines[at + 1][:4] == "+++ ":
            _begin(files, _path(line), _path(lines[at + 1]))
            at += 1
        elif (head := _HUNK.match(line)) and files:
            at = _read_hunk(files[-1], head, lines, at + 1) - 1
        at += 1
    if not files:
        raise TaskError("the patch has no file's diff in it")
    return files


def apply_patch(patch: str, before: Mapping[str, str], *, fuzz: int = 0) -> dict[str, str]:
    """Give the text of the files in ``before`` after the patch, and of new ``.py`` files.

    A file of the patch that is neither is passed over: a change log, say. One that goes has "".

    Args:
        patch: a unified diff.
        before: text by path.
        fuzz: so many lines of context at either end of a hunk may be others, as with patch(1).

    Raises:
        TaskError: it is no diff, or a hunk's context is not in its file.
    """
    after = dict(before)
    for one in parse_patch(patch):
        if one.old is None:
            if one.new and one.new.endswith(".py"):
                after[one.new] = _apply("", one, fuzz)
        elif one.old in before:
            text = _apply(before[one.old], one, fuzz)
            if one.new != one.old:
                after[one.old] = ""
            if one.new is not None:
                after[one.new] = text
    return after


def _at_newlines(text: str) -> list[str]:
    """Split at newlines alone; ``splitlines`` would also split at a carriage return."""
    lines = text.split("\n")
    return [line + "\n" for line in lines[:-1]] + [lines[-1]] * bool(lines[-1])


def _begin(files: list[FilePatch], old: str | None, new: str | None) -> None:
    """Begin a file, unless its renaming has begun it."""
    if not (files and not files[-1].hunks and (files[-1].old, files[-1].new) == (old, new)):
        files.append(FilePatch(old, new))


def _path(line: str) -> str | None:
    """Read the path of a ``---`` or ``+++`` line; None: no file."""
    path = line[4:].rstrip("\r\n").partition("\t")[0]
    if path == _NOTHING:
        return None
    return path[2:] if path[:2] in ("a/", "b/") else path


def _read_hunk(file: FilePatch, head: re.Match[str], lines: list[str], at: int) -> int:
    """Read the hunk whose lines begin at ``at``; where it ends."""
    start, *counts = (1 if number is None else int(number) for number in head.groups())
    hunk, (removed, added) = Hunk(start), counts
    while len(hunk.before) < removed or len(hunk.after) < added:
        line = lines[at] if at < len(lines) else ""
        sign, rest = line[:1], line[1:]
        if sign in (" ", "-", "\n"):  # some editors strip the blank of an empty context line
            hunk.before.append(rest if sign != "\n" else "\n")
        if sign in (" ", "+", "\n"):
            hunk.after.append(rest if sign != "\n" else "\n")
        if sign == _NO_NEWLINE:
            _strip_newline(hunk, lines[at - 1][:1])
        elif sign not in (" ", "-", "+", "\n"):
            raise TaskError(f"a hunk of {file.new or file.old} is cut, at line {at + 1}")
        at += 1
    while at < len(lines) and lines[at].startswith(_NO_NEWLINE):
        _strip_newline(hunk, lines[at - 1][:1])
        at += 1
    file.hunks.append(hunk)
    return at


def _strip_newline(hunk: Hunk, sign: str) -> None:
    """The line before, with this sign, ends its file without a newline."""
    sides = {"-": [hunk.before], "+": [hunk.after]}.get(sign, [hunk.before, hunk.after])
    for side in sides:
        if side:
            side[-1] = side[-1].removesuffix("\n")


def _apply(text: str, file: FilePatch, fuzz: int) -> str:
    lines = _at_newlines(text)
    done: list[str] = []
    at = 0  # what of ``lines`` is done
    for whole in file.hunks:
        found = _found(whole, at, lines, fuzz)
        if found is None:
            raise TaskError(
                f"the patch does not apply to {file.old or file.new}: the lines of its hunk at "
                f"line {whole.start} are not there"
            )
        hunk, place = found
        done += lines[at:place] + hunk.after
        at = place + len(hunk.before)
    return "".join(done + lines[at:])


def _found(whole: Hunk, at: int, lines: list[str], fuzz: int) -> tuple[Hunk, int] | None:
    """The hunk, with as much of its context as stands there, and where."""
    for less in range(fuzz + 1):
        hunk = _with_less_context(whole, less)
        for place in _places(hunk, at, lines):
            if _stands(hunk, lines, place):
                return hunk, place
    return None


def _with_less_context(hunk: Hunk, less: int) -> Hunk:
    """Without so many of the lines of context at either end, if it has so many."""
    same = [a == b for a, b in zip(hunk.before, hunk.after, strict=False)]
    head = min(less, [*same, False].index(False))
    ends = zip(reversed(hunk.before[head:]), reversed(hunk.after[head:]), strict=False)
    tail = min(less, [*(a == b for a, b in ends), False].index(False))
    before, after = (side[head : len(side) - tail] for side in (hunk.before, hunk.after))
    return Hunk(hunk.start + head, before, after)


def _places(hunk: Hunk, first: int, lines: list[str]) -> Iterator[int]:
    """Give the indices where a hunk may go, the one that it names first, then ever farther."""
    # A hunk without lines to replace names the line after which it goes.
    named = hunk.start - 1 if hunk.before else hunk.start
    last = len(lines) - len(hunk.before)
    for distance in range(max(last - named, named - first, 0) + 1):
        for place in {named + distance: 0, named - distance: 0}:
            if first <= place <= last:
                yield place


def _stands(hunk: Hunk, lines: list[str], place: int) -> bool:
    return lines[place : place + len(hunk.before)] == hunk.before
