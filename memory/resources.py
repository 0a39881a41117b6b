"""What each stage run used of the machine: time, memory, the card."""

import time
from dataclasses import astuple

from memory.connection import Connected
from memory.records import ResourceRow

_COLUMNS = (
    "stage_run_id, wall_s, cpu_s, peak_memory_mb, card, card_busy_s, card_peak_memory_mb, "
    "card_energy_j"
)
_INSERT = f"""
INSERT INTO resource_use ({_COLUMNS}, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (stage_run_id) DO NOTHING
"""


class Resources(Connected):
    """Reads and writes of ``resource_use``."""

    def add_resource_use(self, row: ResourceRow) -> None:
        """Record what a stage run used; one that is recorded keeps its first record."""
        with self._write() as connection:
            connection.execute(_INSERT, (*astuple(row), time.time()))

    def resource_use(self, round_id: int | None = None) -> list[ResourceRow]:
        """What the stage runs of a round (None: of all) used, in the order of the runs."""
        sql = (
            f"SELECT {_COLUMNS} FROM resource_use WHERE ? IS NULL OR stage_run_id IN "
            "(SELECT id FROM stage_runs WHERE round_id = ?) ORDER BY stage_run_id"
        )
        return [ResourceRow(*row) for row in self._select(sql, (round_id, round_id))]
