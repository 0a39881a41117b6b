"""Samples, verdicts, and the two joined: what training and evaluation read."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from memory.connection import Connected
from memory.encoding import clean_text, list_to_json, to_json, with_json
from memory.records import LabelledSample, SampleRow, Split, VerdictRow

_INSERT_SAMPLE = """
INSERT INTO samples (problem_id, generator_id, protocol, params, params_hash, idx, seed, completion,
                     code, program_hash, tokens, logprob, finish_reason, stage_run_id, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (problem_id, generator_id, protocol, params_hash, idx) DO NOTHING
"""
_INSERT_VERDICT = """
INSERT INTO verdicts (program_hash, tests_hash, sandbox_version, sandbox_level, verdict, failure,
                      cpu_s, wall_s, peak_memory_mb, output_head, output_tail, stage_run_id,
                      created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (program_hash, tests_hash, sandbox_version, sandbox_level) DO NOTHING
"""
# In the order of the fields of SampleRow.
_SAMPLE_COLUMNS = """
x.problem_id, x.generator_id, x.protocol, x.params, x.params_hash, x.idx, x.seed, x.completion,
x.code, x.program_hash, x.tokens, x.logprob, x.finish_reason, x.stage_run_id, x.id
"""
_INDEXES = """
SELECT problem_id, idx FROM samples
WHERE problem_id IN (SELECT value FROM json_each(?))
  AND generator_id = ? AND protocol = ? AND params_hash = ?
"""
_KNOWN = """
SELECT v.program_hash, v.tests_hash
FROM json_each(?) AS pair JOIN verdicts v
  ON v.program_hash = pair.value ->> 0 AND v.tests_hash = pair.value ->> 1
WHERE v.sandbox_version = ? AND v.sandbox_level = ?
"""
_WORDS = """
SELECT v.program_hash, v.tests_hash, v.verdict
FROM json_each(?) AS pair JOIN verdicts v
  ON v.program_hash = pair.value ->> 0 AND v.tests_hash = pair.value ->> 1
WHERE v.sandbox_version = ? AND v.sandbox_level = ?
"""
_UNLABELLED = f"""
SELECT {_SAMPLE_COLUMNS}
FROM samples x JOIN problems p ON p.id = x.problem_id
WHERE x.problem_id IN (SELECT value FROM json_each(:problem_ids))
  AND x.generator_id = :generator_id AND x.protocol = :protocol AND x.params_hash = :params_hash
  AND NOT EXISTS (
    SELECT 1 FROM verdicts v WHERE v.program_hash = x.program_hash AND v.tests_hash = p.tests_hash
      AND v.sandbox_version = :sandbox_version AND v.sandbox_level = :level)
ORDER BY x.problem_id, x.idx
"""
# The problems that are asked for are found first; CROSS JOIN keeps SQLite from turning that round.
_LABELLED = f"""
SELECT v.verdict, v.id, s.split, {_SAMPLE_COLUMNS}
FROM problems p
CROSS JOIN splits s ON s.problem_id = p.id
CROSS JOIN samples x ON x.problem_id = p.id
CROSS JOIN verdicts v ON v.program_hash = x.program_hash AND v.tests_hash = p.tests_hash
WHERE (:problem_ids IS NULL OR p.id IN (SELECT value FROM json_each(:problem_ids)))
  AND (:split IS NULL OR s.split = :split) AND (:source IS NULL OR p.source = :source)
  AND x.generator_id = :generator_id AND x.protocol = :protocol
  AND (:params_hash IS NULL OR x.params_hash = :params_hash)
  AND v.sandbox_version = :sandbox_version AND v.sandbox_level = :level
ORDER BY x.problem_id, x.idx, x.id
"""
_PROGRAMS = """
SELECT program_hash, code FROM samples
WHERE program_hash IN (SELECT value FROM json_each(?)) GROUP BY program_hash
"""
_OF_PROBLEM = f"""
SELECT {_SAMPLE_COLUMNS} FROM samples x
WHERE x.problem_id = ? AND x.generator_id = ? AND x.protocol = ? AND x.params_hash = ?
  AND x.idx < ?
ORDER BY x.idx
"""
_OUTCOMES = """
SELECT x.problem_id, COUNT(*), COALESCE(SUM(EXISTS (
    SELECT 1 FROM verdicts v WHERE v.program_hash = x.program_hash AND v.tests_hash = p.tests_hash
      AND v.verdict = 'passed')), 0)
FROM samples x
JOIN splits s ON s.problem_id = x.problem_id AND s.split = 'train'
JOIN problems p ON p.id = x.problem_id
JOIN stage_runs r ON r.id = x.stage_run_id
WHERE x.generator_id = ? AND x.protocol = ? AND x.params_hash = ? AND r.round_id < ?
GROUP BY x.problem_id
"""


class Samples(Connected):
    """Reads and writes of ``samples`` and ``verdicts``."""

    def add_samples(self, rows: Sequence[SampleRow]) -> int:
        """Store samples in one transaction; those that are already there stay as they are.

        Returns:
            How many were new.

        Raises:
            StoreError: a problem or stage run is unknown; then none is stored.
        """
        return self._insert(_INSERT_SAMPLE, [_sample_to_columns(row) for row in rows])

    def add_verdicts(self, rows: Sequence[VerdictRow]) -> int:
        """Store verdicts in one transaction; those that are already there stay as they are.

        Returns:
            How many were new.

        Raises:
            StoreError: a word is not one that is stored (``not_judged``); then none is stored.
        """
        return self._insert(_INSERT_VERDICT, [_verdict_to_columns(row) for row in rows])

    def sample_indexes(
        self, problem_ids: Iterable[str], generator_id: str, protocol: str, params_hash: str
    ) -> dict[str, set[int]]:
        """For each problem that is asked for, the ``idx`` of its samples that are stored."""
        found: dict[str, set[int]] = {problem_id: set() for problem_id in problem_ids}
        asked = (list_to_json(found), generator_id, protocol, params_hash)
        for problem_id, idx in self._select(_INDEXES, asked):
            found[problem_id].add(idx)
        return found

    def known_verdicts(
        self, pairs: Iterable[tuple[str, str]], sandbox_version: str, level: str
    ) -> set[tuple[str, str]]:
        """Those of the pairs (program_hash, tests_hash) that were judged by this sandbox."""
        return set(self._select(_KNOWN, (list_to_json(pairs), sandbox_version, level)))

    def verdict_words(
        self, pairs: Iterable[tuple[str, str]], sandbox_version: str, level: str
    ) -> dict[tuple[str, str], str]:
        """What this sandbox said, by (program_hash, tests_hash), of those pairs that it judged."""
        rows = self._select(_WORDS, (list_to_json(pairs), sandbox_version, level))
        return {(program, tests): word for program, tests, word in rows}

    def unlabelled(
        self,
        problem_ids: Iterable[str],
        generator_id: str,
        protocol: str,
        params_hash: str,
        sandbox_version: str,
        level: str,
    ) -> list[SampleRow]:
        """The samples that this sandbox has not judged yet, ordered by problem and idx."""
        asked = {
            "problem_ids": list_to_json(problem_ids),
            "generator_id": generator_id,
            "protocol": protocol,
            "params_hash": params_hash,
            "sandbox_version": sandbox_version,
            "level": level,
        }
        return [_sample_from_columns(row) for row in self._select(_UNLABELLED, asked)]

    def labelled(
        self,
        *,
        problem_ids: Iterable[str] | None = None,
        split: Split | None = None,
        source: str | None = None,
        generator_id: str,
        protocol: str,
        params_hash: str | None = None,
        sandbox_version: str,
        level: str,
    ) -> list[LabelledSample]:
        """The samples with their verdicts by this sandbox, ordered by problem and idx.

        A filter of None lets all through.
        """
        asked = {
            "problem_ids": None if problem_ids is None else list_to_json(problem_ids),
            "split": split,
            "source": source,
            "generator_id": generator_id,
            "protocol": protocol,
            "params_hash": params_hash,
            "sandbox_version": sandbox_version,
            "level": level,
        }
        return [
            LabelledSample(_sample_from_columns(row[3:]), *row[:3])
            for row in self._select(_LABELLED, asked)
        ]

    def samples_of(
        self, problem_id: str, generator_id: str, protocol: str, params_hash: str, count: int
    ) -> list[SampleRow]:
        """A problem's samples with an ``idx`` below ``count``, in its order."""
        asked = (problem_id, generator_id, protocol, params_hash, count)
        return [_sample_from_columns(row) for row in self._select(_OF_PROBLEM, asked)]

    def programs(self, hashes: Iterable[str]) -> dict[str, str]:
        """The texts of sampled programs by their hash; one that no sample has is not in it."""
        return dict(self._select(_PROGRAMS, (list_to_json(hashes),)))

    def outcomes_before(
        self, round_id: int, generator_id: str, protocol: str, params_hash: str
    ) -> dict[str, tuple[int, int]]:
        """(samples, passes) of each train problem in the rounds before ``round_id``.

        A sample without a verdict counts as one that did not pass.
        """
        asked = (generator_id, protocol, params_hash, round_id)
        return {row[0]: (row[1], row[2]) for row in self._select(_OUTCOMES, asked)}

    def _insert(self, sql: str, rows: list[tuple[Any, ...]]) -> int:
        if not rows:
            return 0
        with self._write() as connection:
            return connection.executemany(sql, rows).rowcount


def _sample_to_columns(row: SampleRow) -> tuple[Any, ...]:
    return (
        row.problem_id,
        row.generator_id,
        row.protocol,
        to_json(row.params),
        row.params_hash,
        row.idx,
        row.seed,
        clean_text(row.completion),
        row.code,  # kept to the letter: `program_hash` is its hash
        row.program_hash,
        row.tokens,
        row.logprob,
        row.finish_reason,
        row.stage_run_id,
        time.time(),
    )


def _verdict_to_columns(row: VerdictRow) -> tuple[Any, ...]:
    return (
        row.program_hash,
        row.tests_hash,
        row.sandbox_version,
        row.sandbox_level,
        row.verdict,
        None if row.failure is None else to_json(row.failure),
        row.cpu_s,
        row.wall_s,
        row.peak_memory_mb,
        clean_text(row.output_head),
        clean_text(row.output_tail),
        row.stage_run_id,
        time.time(),
    )


def _sample_from_columns(row: Sequence[Any]) -> SampleRow:
    return SampleRow(*with_json(row, 3))
