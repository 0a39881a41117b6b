"""Repair pairs of the store: what a language model wrote wrong, and right, for a train problem."""

from collections.abc import Iterable, Iterator

from memory.repair_records import RepairPair
from trainers.ctm.data.collectors.pair import Count, Pair, ignore

SOURCE = "repair_pairs"


def store_pairs(rows: Iterable[RepairPair], *, count: Count = ignore) -> Iterator[Pair]:
    """Pairs of ``Store.repair_pairs``, which are of train problems only: they only ever train.

    Args:
        rows: what the store gave.
        count: is told why a row gave none.
    """
    for row in rows:
        if row.broken == row.fixed:
            count("the same program")
            continue
        yield Pair(
            broken=row.broken,
            fixed=row.fixed,
            bug_class="other",
            operator="mined",
            source=SOURCE,
            group=row.row.problem_id,
            train_only=True,
            origin={
                "problem": row.row.problem_id,
                "broken_sample": row.row.broken_sample,
                "fixed_sample": row.row.fixed_sample,
            },
        )
