"""The best ways to take one item of each of several scored lists."""

import heapq
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def best_sums(
    lists: Sequence[Sequence[tuple[float, T]]],
) -> Iterator[tuple[float, list[T]]]:
    """Give the ways to take one of each list, largest sum of scores first.

    Args:
        lists: of (score, item), each sorted with the largest score first, none empty.
    """
    start = (0,) * len(lists)
    heap = [(-sum(items[0][0] for items in lists), start)]
    seen = {start}
    while heap:
        negative, places = heapq.heappop(heap)
        yield -negative, [items[place][1] for items, place in zip(lists, places, strict=True)]
        for axis, index in enumerate(places):
            after = (*places[:axis], index + 1, *places[axis + 1 :])
            if index + 1 < len(lists[axis]) and after not in seen:
                seen.add(after)
                step = lists[axis][index + 1][0] - lists[axis][index][0]
                heapq.heappush(heap, (negative - step, after))
