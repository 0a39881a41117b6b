"""The regions that a patch changes, and the seed's six operations: one definition for all parts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from trainers.code_trainer.chunks import parse_file

OPERATIONS = (
    "add_line", "delete_line", "modify_line", "add_function", "delete_function", "modify_function",
)  # fmt: skip
_DEFINITION = re.compile(r"^[ \t]*(?:async[ \t]+def|def|class)[ \t]")


@dataclass(frozen=True)
class Region:
    """One contiguous change of one file.

    ``start`` and ``end``: the replaced lines of the file before, 0-based and half-open; equal for
    an insertion before line ``start``. ``removed`` and ``added`` are the lines, without ends.
    """

    path: str
    start: int
    end: int
    removed: tuple[str, ...]
    added: tuple[str, ...]

    @property
    def size(self) -> int:
        """Lines removed and added."""
        return len(self.removed) + len(self.added)

    @property
    def operation(self) -> str:
        """The one of ``OPERATIONS`` that this region is (see ``operation_of``)."""
        return operation_of(self.removed, self.added)


def operation_of(removed: Sequence[str], added: Sequence[str]) -> str:
    """Name a change: by whether lines go, come or both, and whether a def or class line does.

    A replacement with a def or class line on either side is ``modify_function``: a signature, a
    function that was split or merged. Changed lines inside a function are ``modify_line``.
    """
    old, new = _defines(removed), _defines(added)
    if not any(line.strip() for line in removed):
        return "add_function" if new else "add_line"
    if not any(line.strip() for line in added):
        return "delete_function" if old else "delete_line"
    return "modify_function" if old or new else "modify_line"


def regions(before: str, after: str, path: str = "") -> list[Region]:
    """The changed regions of one file in order; by lines, as a diff without context has them."""
    old, new = before.splitlines(), after.splitlines()
    head = _shared(old, new)
    tail = _shared(old[head:][::-1], new[head:][::-1])
    old, new = old[head : len(old) - tail], new[head : len(new) - tail]
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return [
        Region(path, head + i, head + j, tuple(old[i:j]), tuple(new[k:m]))
        for tag, i, j, k, m in matcher.get_opcodes()
        if tag != "equal"
    ]


def _shared(first: Sequence[str], second: Sequence[str]) -> int:
    """How many lines two texts share from their beginnings."""
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count


def task_regions(before: Mapping[str, str], after: Mapping[str, str]) -> list[Region]:
    """The regions of all files, by path; a file that is only after (or before) is one region."""
    return [
        region
        for path in sorted({*before, *after})
        for region in regions(before.get(path, ""), after.get(path, ""), path)
    ]


def largest_region(before: Mapping[str, str], after: Mapping[str, str]) -> Region | None:
    """The region with most lines, the first of equals; None where nothing changed."""
    return max(task_regions(before, after), key=lambda region: region.size, default=None)


def edited_functions(before: str, after: str) -> list[str]:
    """Qualified names of the functions of ``before`` that a change touches, in file order.

    A line inserted at the end of a function counts as that function's where it is indented as
    deep as its body; definitions that are only in ``after`` have no name here.
    """
    functions = [chunk for chunk in parse_file(before).chunks if chunk.kind == "function"]
    touched: dict[str, None] = {}
    for region in regions(before, after):
        for chunk in functions:
            if _touches(region, chunk.start - 1, chunk.end, before):
                touched[chunk.name] = None
    return list(touched)


def _touches(region: Region, start: int, end: int, before: str) -> bool:
    """Whether a region changes lines ``start`` to ``end`` (0-based, half-open)."""
    if region.start < region.end:
        return region.start < end and region.end > start
    if start < region.start < end:
        return True
    if region.start != end:
        return False
    first = next((line for line in region.added if line.strip()), "")
    header = before.splitlines()[start]
    return _indent(first) > _indent(header)


def _indent(line: str) -> int:
    expanded = line.expandtabs()
    return len(expanded) - len(expanded.lstrip())


def _defines(lines: Sequence[str]) -> bool:
    return any(_DEFINITION.match(line) for line in lines)
