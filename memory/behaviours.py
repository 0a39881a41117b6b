"""Inputs on which programs are compared, and what they gave: agreement, without any label."""

import json
import time
from collections.abc import Iterable

from memory.connection import Connected
from memory.encoding import list_to_json, to_json, with_json
from memory.records import AgreementInputsRow, BehaviourRow

_INSERT_INPUTS = """
INSERT INTO agreement_inputs (problem_id, inputs_hash, origin, inputs, generator_id, seed,
                              created_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (problem_id, inputs_hash) DO NOTHING
"""
_INSERT_BEHAVIOUR = """
INSERT INTO behaviours (program_hash, inputs_hash, sandbox_version, sandbox_level, outcomes)
VALUES (?, ?, ?, ?, ?)
ON CONFLICT (program_hash, inputs_hash, sandbox_version, sandbox_level) DO NOTHING
"""
_INPUTS = """
SELECT problem_id, inputs_hash, origin, inputs, generator_id, seed FROM agreement_inputs
WHERE problem_id IN (SELECT value FROM json_each(?))
ORDER BY problem_id, created_at, inputs_hash
"""
_BEHAVIOURS = """
SELECT b.program_hash, b.inputs_hash, b.outcomes
FROM json_each(?) AS pair CROSS JOIN behaviours b
  ON b.program_hash = pair.value ->> 0 AND b.inputs_hash = pair.value ->> 1
WHERE b.sandbox_version = ? AND b.sandbox_level = ?
"""


class Behaviours(Connected):
    """Reads and writes of ``agreement_inputs`` and ``behaviours``."""

    def add_agreement_inputs(self, rows: Iterable[AgreementInputsRow]) -> int:
        """Store inputs in one transaction; those that are already there stay as they are.

        Returns:
            How many were new.

        Raises:
            StoreError: a problem is unknown; then none is stored.
        """
        columns = [
            (
                row.problem_id,
                row.inputs_hash,
                row.origin,
                to_json(row.inputs),
                row.generator_id,
                row.seed,
                time.time(),
            )
            for row in rows
        ]
        if not columns:
            return 0
        with self._write() as connection:
            return connection.executemany(_INSERT_INPUTS, columns).rowcount

    def agreement_inputs(self, problem_ids: Iterable[str]) -> dict[str, list[AgreementInputsRow]]:
        """For each problem that is asked for, its inputs that are stored, the oldest first."""
        found: dict[str, list[AgreementInputsRow]] = {problem_id: [] for problem_id in problem_ids}
        for row in self._select(_INPUTS, (list_to_json(found),)):
            found[row[0]].append(AgreementInputsRow(*with_json(row, 3)))
        return found

    def add_behaviours(self, rows: Iterable[BehaviourRow]) -> int:
        """Store behaviours in one transaction; those that are already there stay as they are.

        Returns:
            How many were new.
        """
        columns = [
            (
                row.program_hash,
                row.inputs_hash,
                row.sandbox_version,
                row.sandbox_level,
                list_to_json(row.outcomes),
            )
            for row in rows
        ]
        if not columns:
            return 0
        with self._write() as connection:
            return connection.executemany(_INSERT_BEHAVIOUR, columns).rowcount

    def behaviours(
        self, pairs: Iterable[tuple[str, str]], sandbox_version: str, level: str
    ) -> dict[tuple[str, str], tuple[str, ...]]:
        """The outcomes by (program_hash, inputs_hash) that this sandbox found, of those pairs."""
        rows = self._select(_BEHAVIOURS, (list_to_json(pairs), sandbox_version, level))
        return {(program, inputs): tuple(json.loads(text)) for program, inputs, text in rows}
