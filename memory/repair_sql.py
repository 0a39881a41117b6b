"""SQL that the tables of repair share: rows written once a round, rows read up to a date."""

from collections.abc import Sequence

from memory.connection import Connected, Parameters

# What is remembered of a task may serve another only where it was known before: a later tree often
# contains the earlier fix. Tasks and problems without a date have no history that could tell.
PAST = "(:before IS NULL OR t.base_date IS NULL OR t.base_date < :before)"


def insert_once(
    table: str, columns: Sequence[str], key: Sequence[str], nullable: Sequence[str]
) -> str:
    """An INSERT with named parameters that does nothing where the round has a row of that key.

    The round, not the stage run: what an attempt wrote before it was cut is not written again by
    the next one. Rows outside of any round are told apart by their key alone.
    """
    # As the index on the key has it, so that it is used, and so that NULL is equal to NULL.
    same = " AND ".join(
        f"coalesce(o.{name}, '') = coalesce(:{name}, '')"
        if name in nullable
        else f"o.{name} = :{name}"
        for name in key
    )
    return f"""
INSERT INTO {table} ({", ".join(columns)}, stage_run_id, created_at)
SELECT {", ".join(f":{name}" for name in columns)}, :stage_run_id, :created_at
WHERE NOT EXISTS (
    SELECT 1 FROM {table} o WHERE {same}
      AND (o.stage_run_id IS :stage_run_id OR o.stage_run_id IN (
        SELECT other.id FROM stage_runs own JOIN stage_runs other
        ON other.round_id = own.round_id AND other.stage = own.stage
        WHERE own.id = :stage_run_id)))
"""


class Batched(Connected):
    """What the tables of repair share: many rows in one transaction."""

    def _insert_rows(self, sql: str, rows: Sequence[Parameters]) -> int:
        """Write the rows, all or none; how many were new."""
        if not rows:
            return 0
        with self._write() as connection:
            return connection.executemany(sql, rows).rowcount
