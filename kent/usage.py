"""What a round has used so far and what that cost, read with SQLite alone for ``status``."""

import sqlite3
from typing import Any

from kent.disk import in_words

J_PER_KWH = 3.6e6
_MB = 2**20

_USED = """
SELECT sum(u.wall_s) AS wall_s, sum(u.cpu_s) AS cpu_s, max(u.peak_memory_mb) AS peak_memory_mb,
       sum(u.card_busy_s) AS card_busy_s, max(u.card_peak_memory_mb) AS card_peak_memory_mb,
       sum(u.card_energy_j) AS card_energy_j, o.config ->> '$.cost.per_hour' AS per_hour,
       o.config ->> '$.cost.per_kwh' AS per_kwh, o.config ->> '$.cost.currency' AS currency
FROM resource_use u JOIN stage_runs r ON r.id = u.stage_run_id JOIN rounds o ON o.id = r.round_id
WHERE r.round_id = ? HAVING count(*) > 0
"""
_THERE = "SELECT 1 FROM sqlite_master WHERE name = 'resource_use'"  # an older KENT's file has none


def cost(
    hours: float, kwh: float | None, per_hour: float | None, per_kwh: float | None
) -> float | None:
    """What wall hours and the card's energy cost; None where no price was set."""
    if not per_hour and not per_kwh:
        return None
    return hours * (per_hour or 0.0) + (kwh or 0.0) * (per_kwh or 0.0)


def used_by_round(connection: sqlite3.Connection, round_id: int) -> dict[str, Any] | None:
    """Sums over the attempts of a round that ended: seconds, MiB, joules, cost; None without one.

    ``connection`` gives rows by name.
    """
    if connection.execute(_THERE).fetchone() is None:
        return None
    row = connection.execute(_USED, (round_id,)).fetchone()
    if row is None:
        return None
    used = dict(row)
    per_hour, per_kwh = used.pop("per_hour"), used.pop("per_kwh")
    energy = used["card_energy_j"]
    kwh = None if energy is None else energy / J_PER_KWH
    return {**used, "cost": cost(used["wall_s"] / 3600, kwh, per_hour, per_kwh)}


def in_line(used: dict[str, Any]) -> str:
    """The same for a person: ``used so far: 0.42 h, 0.61 CPU h, at most 1.2 GB, 0.35 USD``."""
    parts = [f"{used['wall_s'] / 3600:.2f} h", f"{used['cpu_s'] / 3600:.2f} CPU h"]
    if used["peak_memory_mb"] is not None:
        parts.append(f"at most {in_words(used['peak_memory_mb'] * _MB)} of memory")
    if used["card_busy_s"] is not None:
        parts.append(f"{used['card_busy_s'] / 3600:.2f} card h")
    if used["card_energy_j"] is not None:
        parts.append(f"{used['card_energy_j'] / J_PER_KWH:.3f} kWh by the card")
    if used["cost"] is not None:
        parts.append(f"{used['cost']:.2f} {used['currency']}")
    return f"ended attempts of this round used {', '.join(parts)}"
