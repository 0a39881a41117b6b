"""A row of blocks that shows how a figure went over the rounds."""

from collections.abc import Sequence
from itertools import pairwise

BLOCKS = "▁▂▃▄▅▆▇█"
GAP = " "


def sparkline(values: Sequence[float | None], width: int = 16) -> str:
    """The values as blocks from lowest to highest; a round without a value is a gap.

    Args:
        values: oldest first.
        width: at most so many blocks; more values are averaged in groups.
    """
    points = _squeeze(values, width)
    known = [value for value in points if value is not None]
    if not known:
        return ""
    low, span = min(known), max(known) - min(known)
    return "".join(GAP if v is None else _block(v, low, span) for v in points)


def _block(value: float, low: float, span: float) -> str:
    share = (value - low) / span if span > 0 else 0.5
    return BLOCKS[min(len(BLOCKS) - 1, int(share * len(BLOCKS)))]


def _squeeze(values: Sequence[float | None], width: int) -> list[float | None]:
    """At most ``width`` values: means of groups of neighbours of nearly equal size."""
    count = len(values)
    if count <= width:
        return list(values)
    edges = [round(i * count / width) for i in range(width + 1)]
    groups = [[v for v in values[start:end] if v is not None] for start, end in pairwise(edges)]
    return [sum(group) / len(group) if group else None for group in groups]
