"""Compares two runs item by item, and says what difference so many items can show."""

from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np
from scipy import stats

from memory.records import Figure
from trainers import statistics

POWER, ALPHA = 0.8, 0.05
_UNKNOWN_DISCORDANT = 0.2
"""The share of items on which two runs differ, where none was seen to tell it by."""

Values = Mapping[str, float]


def compare(
    now: Values, then: Values, *, seed: int = 0, clusters: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The difference on the items that both have, with its test and a note on its power.

    McNemar's exact test for values of 0 and 1 with one item a cluster, else the paired
    randomisation test over clusters, whose items were averaged: samples of one problem are not
    independent.

    Args:
        now: value by item.
        then: the same of the other run.
        seed: of the interval.
        clusters: the problem of an item; by default each is its own.
    """
    ids = sorted(now.keys() & then.keys())
    names = np.array([(clusters or {}).get(one, one) for one in ids], dtype=str)
    groups = np.unique(names)
    ours, theirs = (
        np.array([np.mean([values[i] for i, c in zip(ids, names, strict=True) if c == group])
                  for group in groups], float)
        for values in (now, then)
    )  # fmt: skip
    compared = statistics.compare_paired(ours, theirs, seed=seed) if len(groups) else None
    discordant = float(np.mean(ours != theirs)) if len(groups) else 0.0
    return {
        "difference": (compared.effect if compared else Figure(None, None, None, 0)).to_json(),
        "p_value": compared.p_value if compared else None,
        "test": compared.test if compared else None,
        "wins": int((ours > theirs).sum()),
        "losses": int((ours < theirs).sum()),
        "power": power_note(len(groups), discordant),
    }


def power_note(n: int, discordant: float) -> dict[str, Any]:
    """The least true difference that ``n`` paired items show with a power of 80 %.

    For McNemar's one-sided test at 5 %. Source: Connor 1987, Biometrics 43:207-211.

    Args:
        n: pairs.
        discordant: the share of them on which the two differ.
    """
    share = discordant or _UNKNOWN_DISCORDANT
    least = least_difference(n, share)
    assumed = "" if discordant else f" (were the two to differ on {share:.0%} of the items)"
    told = (
        f"{n} items cannot show any difference with a power of {POWER:.0%}{assumed}"
        if least is None
        else f"{n} items show a difference of {100 * least:.1f} points or more with a power of "
        f"{POWER:.0%}{assumed}"
    )
    return {"n": n, "discordant": share, "least_difference": least, "told": told}


def least_difference(n: int, discordant: float) -> float | None:
    """Solve Connor's formula for the difference; None where even ``discordant`` is too small."""
    z_alpha, z_power = stats.norm.ppf(1 - ALPHA), stats.norm.ppf(POWER)

    def needed(difference: float) -> float:
        spread = sqrt(max(discordant - difference**2, 0.0))
        return float(((z_alpha * sqrt(discordant) + z_power * spread) / difference) ** 2)

    if n < 1 or needed(discordant) > n:
        return None
    low, high = 0.0, discordant
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if needed(middle) <= n else (middle, high)
    return high
