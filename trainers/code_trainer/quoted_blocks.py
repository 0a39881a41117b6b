"""A block that an issue quotes, laid beside a file: what it has that the file has not."""

import math
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import islice

from trainers.code_trainer.file_units import LEAST_ALIKE, alike, indent_of, shifted
from trainers.code_trainer.quoted_edit import MOST_TOGETHER, QuotedEdit, Replacement
from trainers.code_trainer.quotes import Block, Quotes, bare

MOST_PLACES = 6
"""Places of a file where a block is laid."""

_WINDOW = 6  # lines of the file around it
_ANCHOR = 8  # characters of a line that tells where a block belongs
_FREQUENT = 3  # lines of a file that are alike tell nothing more


def aligned(block: Block, lines: Sequence[str], quotes: Quotes) -> Iterator[QuotedEdit]:
    """Give the edits that make a file as a block is, between lines that both have."""
    if len(block.lines) < 2:
        return
    file, mine = [bare(line) for line in lines], [bare(line) for line in block.lines]
    for start in islice(_starts(mine, file), MOST_PLACES):
        end = min(start + len(mine) + 2 * _WINDOW, len(file))
        edits, matched = _differences(block, lines, file, start, end)
        features = {
            "kind.block": 1.0,
            "alike": matched / len(mine),
            "signed": float(any(block.signs)),
            "cue": quotes.cue(block.place),
            "length": math.log(max(1, sum(map(len, mine)))),
        }
        for edit in edits:
            yield QuotedEdit((edit,), features, "\n".join(edit[2]))
        if 1 < len(edits) <= MOST_TOGETHER:
            yield QuotedEdit(tuple(edits), {**features, "all": 1.0}, "\n".join(block.lines))


def _starts(mine: Sequence[str], file: Sequence[str]) -> Iterator[int]:
    """Give the first lines of the windows in which a line of the block stands, each once."""
    places: dict[str, list[int]] = {}
    for line, text in enumerate(file):
        places.setdefault(text, []).append(line)
    found: dict[int, None] = {}
    for place, text in enumerate(mine):
        standing = places.get(text, ())
        if len(text) >= _ANCHOR and len(standing) <= _FREQUENT:
            found |= {max(0, line - place - _WINDOW): None for line in standing}
    yield from found


def _differences(
    block: Block, lines: Sequence[str], file: Sequence[str], start: int, end: int
) -> tuple[list[Replacement], int]:
    """The edits in a window, and how many lines both have; removed lines are left out."""
    kept = [line for line, sign in zip(block.lines, block.signs, strict=True) if sign != "-"]
    matcher = SequenceMatcher(None, file[start:end], [bare(line) for line in kept], False)
    codes = matcher.get_opcodes()
    found: list[Replacement] = []
    for number, (tag, a, b, c, d) in enumerate(codes):
        near = [codes[n] for n in (number - 1, number + 1) if 0 <= n < len(codes)]
        anchors = [one for one in near if one[0] == "equal"]
        if tag not in ("replace", "insert") or not anchors:
            continue
        _, old, _, other, _ = anchors[0]
        by = indent_of(lines[start + old]) - indent_of(kept[other])
        new = tuple(shifted(line, by) for line in kept[c:d])
        gives_way = len(anchors) == 2 and b - a <= 2 * (d - c) + 1
        if not gives_way:
            wrong, right = "".join(file[start + a : start + b]), "".join(map(bare, new))
            gives_way = alike(wrong, right) >= LEAST_ALIKE
        found.append((start + a, start + (b if gives_way else a), new))
    return found, sum(b - a for tag, a, b, _, _ in codes if tag == "equal")
