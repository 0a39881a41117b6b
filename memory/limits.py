"""The limits of a problem's programs, as its reference solution was measured to need them."""

from collections.abc import Iterable

from memory.connection import Connected
from memory.encoding import list_to_json
from memory.records import LimitsRow


class ProblemLimits(Connected):
    """Reads and writes of ``limits``: one row for tests under a sandbox version and level."""

    def add_limits(self, rows: Iterable[LimitsRow]) -> None:
        """Store limits; what is there already stays: verdicts were made under it."""
        with self._write() as connection:
            connection.executemany(
                "INSERT INTO limits (tests_hash, sandbox_version, sandbox_level, cpu_s, wall_s, "
                "memory_mb) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [
                    (
                        row.tests_hash,
                        row.sandbox_version,
                        row.sandbox_level,
                        row.cpu_s,
                        row.wall_s,
                        row.memory_mb,
                    )
                    for row in rows
                ],
            )

    def limits(
        self, tests_hashes: Iterable[str], sandbox_version: str, level: str
    ) -> dict[str, LimitsRow]:
        """The limits that are stored for these tests, by their hash."""
        rows = self._select(
            "SELECT tests_hash, sandbox_version, sandbox_level, cpu_s, wall_s, memory_mb "
            "FROM limits WHERE tests_hash IN (SELECT value FROM json_each(?)) "
            "AND sandbox_version = ? AND sandbox_level = ?",
            (list_to_json(tests_hashes), sandbox_version, level),
        )
        return {row[0]: LimitsRow(*row) for row in rows}
