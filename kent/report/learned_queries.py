"""The SQL behind what the memory learned: patterns, constraints, work saved, repair pairs."""

from typing import Any

from memory.store import Store

Row = dict[str, Any]

_COUNTED = ("patterns", "pattern_evidence", "facts", "constraints", "observations", "repair_pairs",
            "repair_loops", "repairs")  # fmt: skip

_SUCCESSES = """
SELECT o.pattern, sum(o.success) AS successes, count(*) AS n, count(DISTINCT o.context) AS contexts,
       p.operation, p.abstraction,
       (SELECT count(*) FROM pattern_evidence e WHERE e.pattern_id = p.id) AS support
FROM observations o LEFT JOIN patterns p ON p.key = o.pattern
GROUP BY o.pattern HAVING sum(o.success) > 0
"""

_CONSTRAINTS = """
SELECT c.operation, c.operator, count(*) AS failures, count(DISTINCT c.context) AS contexts,
       count(DISTINCT coalesce(c.task_id, c.problem_id)) AS tasks, max(c.partial_score) AS nearest,
       p.abstraction
FROM constraints c LEFT JOIN patterns p ON p.key = c.operator
GROUP BY c.operation, c.operator HAVING max(c.partial_score) < 1
ORDER BY failures DESC, c.operator LIMIT ?
"""

# Both modes of one stage run on the same task, the newest run that has such tasks. What no test
# could judge ran no program and says nothing of the order.
_PAIRED = """
WITH pairs AS (
    SELECT mine.stage_run_id, mine.candidates, mine.outcome, cold.candidates AS cold_candidates,
           cold.outcome AS cold_outcome
    FROM repairs mine JOIN repairs cold ON cold.task_id = mine.task_id
        AND cold.stage_run_id = mine.stage_run_id AND cold.mode = :untrained
    WHERE mine.mode = :learned
      AND mine.outcome NOT IN ('unjudged', 'failed') AND cold.outcome NOT IN ('unjudged', 'failed'))
SELECT * FROM pairs WHERE stage_run_id = (SELECT max(stage_run_id) FROM pairs)
"""

# By its stage first: to look into the metrics of every stage run takes long.
_ABLATION = """
SELECT id, round_id, json_extract(metrics, '$.isolated') AS isolated,
       json_extract(metrics, '$.ablation."without constraints"') AS without
FROM stage_runs WHERE stage = 'CodeBenchmark'
  AND json_extract(metrics, '$.ablation."without constraints"') IS NOT NULL
ORDER BY id DESC LIMIT 1
"""

# One pair a problem, those that the loop itself repaired first, then the most alike.
_PAIRS = """
WITH ranked AS (
    SELECT r.id, r.problem_id, r.similarity, r.broken_sample, r.fixed_sample,
           coalesce(c.change, '') AS change,
           row_number() OVER (PARTITION BY r.problem_id ORDER BY
               coalesce(c.change, 'alike') = 'alike', r.similarity DESC, r.id) AS place
    FROM repair_pairs r LEFT JOIN pair_changes c ON c.pair_id = r.id)
SELECT k.id, k.problem_id, k.similarity, k.change, b.code AS broken, f.code AS fixed,
       p.statement, b.generator_id,
       (SELECT v.verdict FROM verdicts v WHERE v.program_hash = b.program_hash
        AND v.tests_hash = p.tests_hash ORDER BY v.id DESC LIMIT 1) AS verdict
FROM ranked k JOIN samples b ON b.id = k.broken_sample JOIN samples f ON f.id = k.fixed_sample
JOIN problems p ON p.id = k.problem_id
WHERE k.place = 1 AND length(b.code) <= :longest AND length(f.code) <= :longest
ORDER BY k.change IN ('', 'alike'), k.similarity DESC, k.id LIMIT :limit
"""


def counts(store: Store) -> dict[str, int]:
    """How many rows each table of the memory has."""
    return {
        name: int(store.query(f"SELECT count(*) AS n FROM {name}")[0]["n"]) for name in _COUNTED
    }


def successes(store: Store) -> list[Row]:
    """The patterns that succeeded at least once, with how often they were tried."""
    return store.query(_SUCCESSES)


def constraints(store: Store, limit: int) -> list[Row]:
    """The edits that failed most often and never succeeded."""
    return store.query(_CONSTRAINTS, (limit,))


def paired_repairs(store: Store, learned: str, untrained: str) -> list[Row]:
    """Each task that the newest run searched in both modes, with the programs run in each."""
    return store.query(_PAIRED, {"learned": learned, "untrained": untrained})


def last_ablation(store: Store) -> Row | None:
    """The newest benchmark that measured without the constraints."""
    found = store.query(_ABLATION)
    return found[0] if found else None


def last_repairing_round(store: Store) -> int | None:
    """The newest round in which anything was repaired, or tried to be."""
    sql = (
        "SELECT max(round_id) AS id FROM stage_runs WHERE id IN (SELECT stage_run_id FROM repairs)"
    )
    found = store.query(sql)[0]["id"]
    return None if found is None else int(found)


def repair_pairs(store: Store, limit: int, longest: int) -> list[Row]:
    """At most ``limit`` failing programs with the passing ones most like them, one a problem.

    A program of more than ``longest`` characters is no example.
    """
    return store.query(_PAIRS, {"limit": limit, "longest": longest})
