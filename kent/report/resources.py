"""What the stages used of the machine and what that cost, by stage and in all."""

from typing import Any

from kent.report import queries
from kent.report.stages import run_seconds
from kent.report.values import Json
from kent.usage import J_PER_KWH, cost
from memory.store import Store

_SUMS = ("hours", "cpu_hours", "card_hours", "card_kwh")
_PEAKS = ("peak_memory_mb", "card_peak_memory_mb")


def resources(store: Store) -> Json:
    """Hours of wall, CPU and card, peak memory (MiB), energy (kWh) and cost by currency.

    A figure is None where no attempt measured it, such as the card's on a machine without one.
    ``measured`` of ``attempts`` have a record; wall hours are known of all. A round counts at the
    price that its configuration had.
    """
    rows = [_attempt(row) for row in queries.resource_use(store)]
    stages = dict.fromkeys(row["stage"] for row in rows)
    return {
        "by_stage": {name: _sum([row for row in rows if row["stage"] == name]) for name in stages},
        "total": _sum(rows),
        "cards": sorted({row["card"] for row in rows if row["card"]}),
    }


def _attempt(row: queries.Row) -> Json:
    hours = run_seconds(row) / 3600
    kwh = None if row["card_energy_j"] is None else row["card_energy_j"] / J_PER_KWH
    return {
        "stage": row["stage"],
        "measured": row["cpu_s"] is not None,
        "hours": hours,
        "cpu_hours": None if row["cpu_s"] is None else row["cpu_s"] / 3600,
        "peak_memory_mb": row["peak_memory_mb"],
        "card": row["card"],
        "card_hours": None if row["card_busy_s"] is None else row["card_busy_s"] / 3600,
        "card_peak_memory_mb": row["card_peak_memory_mb"],
        "card_kwh": kwh,
        "cost": cost(hours, kwh, row["per_hour"], row["per_kwh"]),
        "currency": row["currency"],
    }


def _sum(rows: list[Json]) -> Json:
    costs: dict[str, float] = {}
    for row in rows:
        if row["cost"] is not None:
            costs[row["currency"]] = costs.get(row["currency"], 0.0) + row["cost"]
    return {
        "attempts": len(rows),
        "measured": sum(row["measured"] for row in rows),
        **{name: _known(rows, name, sum) for name in _SUMS},
        **{name: _known(rows, name, max) for name in _PEAKS},
        "cost": costs,
    }


def _known(rows: list[Json], name: str, of: Any) -> float | None:
    found = [row[name] for row in rows if row[name] is not None]
    return of(found) if found else None
