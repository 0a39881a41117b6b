"""The SQL behind the report; each reads an index or a small table, never the samples' rows."""

from typing import Any

from memory.store import Store

Row = dict[str, Any]

_ROUNDS = """
SELECT id, status, started_at, finished_at, seed, code_version,
       json_extract(config, '$.profile') AS profile
FROM rounds ORDER BY id
"""

# Outcomes of single problems can be long; they are read only for the rounds that are compared.
_STAGE_RUNS = """
SELECT id, round_id, stage, attempt, status, started_at, finished_at, heartbeat_at, phase, done,
       total, unit, error, json_remove(metrics, '$.per_problem') AS metrics
FROM stage_runs ORDER BY round_id, stage, attempt
"""

_EVALUATIONS = """
SELECT e.id, e.stage_run_id, e.model_id, e.problem_set, e.protocol, e.metric, e.value, e.low,
       e.high, e.n
FROM evaluations e WHERE e.split = 'test' ORDER BY e.id
"""

_PROMOTIONS = """
SELECT p.id, p.created_at, p.kind, p.candidate, p.champion, p.decision, p.effect, p.low, p.high,
       p.n, p.p_value, p.alpha, p.looks, p.reason, p.actor, p.figures, p.alternative,
       p.stage_run_id, r.round_id, r.stage
FROM promotions p LEFT JOIN stage_runs r ON r.id = p.stage_run_id ORDER BY p.id
"""

_MODELS = """
SELECT id, kind, version, status, stale, generator_id, code_version FROM models ORDER BY id
"""


_RESOURCES = """
SELECT r.id, r.stage, r.started_at, r.finished_at, r.heartbeat_at, u.cpu_s, u.peak_memory_mb,
       u.card, u.card_busy_s, u.card_peak_memory_mb, u.card_energy_j,
       json_extract(o.config, '$.cost.per_hour') AS per_hour,
       json_extract(o.config, '$.cost.per_kwh') AS per_kwh,
       coalesce(json_extract(o.config, '$.cost.currency'), '') AS currency
FROM stage_runs r JOIN rounds o ON o.id = r.round_id
LEFT JOIN resource_use u ON u.stage_run_id = r.id WHERE r.status <> 'running' ORDER BY r.id
"""


def resource_use(store: Store) -> list[Row]:
    """Each ended attempt with what it used, where that was measured, and its round's price."""
    return store.query(_RESOURCES)


def rounds(store: Store) -> list[Row]:
    """All rounds, oldest first, with the profile out of their configuration."""
    return store.query(_ROUNDS)


def stage_runs(store: Store) -> list[Row]:
    """All attempts of all stages, with their metrics as JSON text."""
    return store.query(_STAGE_RUNS)


def per_problem(store: Store, stage_run_id: int) -> str | None:
    """The outcomes of single problems that a stage run stored, as JSON text."""
    sql = "SELECT json_extract(metrics, '$.per_problem') AS outcomes FROM stage_runs WHERE id = ?"
    found = store.query(sql, (stage_run_id,))
    return found[0]["outcomes"] if found else None


def evaluations(store: Store) -> list[Row]:
    """All figures measured on test problems."""
    return store.query(_EVALUATIONS)


def promotions(store: Store) -> list[Row]:
    """All decisions between a candidate and a champion; those by hand belong to no round."""
    return store.query(_PROMOTIONS)


def models(store: Store) -> list[Row]:
    """All model versions."""
    return store.query(_MODELS)


def samples_by_run(store: Store) -> list[Row]:
    """Samples and tokens of each stage run."""
    return store.query(
        "SELECT stage_run_id, COUNT(*) AS samples, SUM(tokens) AS tokens FROM samples"
        " GROUP BY stage_run_id"
    )


def verdicts_by_word(store: Store) -> list[Row]:
    """How many programs got each verdict."""
    # Grouped by stage run first, in the order of the index: without it a million rows are sorted.
    return store.query(
        "SELECT verdict, SUM(n) AS n FROM (SELECT verdict, COUNT(*) AS n FROM verdicts"
        " GROUP BY stage_run_id, verdict) GROUP BY verdict"
    )


def distinct_programs(store: Store) -> int:
    """How many different programs were written."""
    found = store.query("SELECT COUNT(*) AS n FROM (SELECT 1 FROM samples GROUP BY program_hash)")
    return int(found[0]["n"])


def problems_by_split(store: Store) -> list[Row]:
    """How many problems each split has."""
    return store.query("SELECT split, COUNT(*) AS n FROM splits GROUP BY split ORDER BY split")
