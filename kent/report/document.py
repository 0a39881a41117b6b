"""The report as one JSON document: rounds, promotions, totals, change and what is running."""

import time
from typing import Any

from kent.report import queries
from kent.report.change import changes
from kent.report.learned import learned
from kent.report.repairs import repairs
from kent.report.resources import resources
from kent.report.stages import run_seconds, stages_of_rounds
from kent.report.values import Json, figure, json_object
from memory.store import Store

SCHEMA = "kent-report/1"

WORDS = (
    "passed", "failed", "error", "syntax_error", "timeout", "out_of_memory", "crashed", "violation",
)  # fmt: skip


def build(store: Store, *, now: float | None = None) -> Json:
    """Everything the report shows, as plain JSON values.

    Args:
        store: where every figure comes from.
        now: the time of the report in Unix seconds; the clock's where it is None.
    """
    at = time.time() if now is None else now
    runs = queries.stage_runs(store)
    stages = stages_of_rounds(runs, queries.evaluations(store), queries.models(store))
    rounds = [{**row, "stages": stages.get(row["id"], {})} for row in queries.rounds(store)]
    return {
        "schema": SCHEMA,
        "generated_at": at,
        "rounds": rounds,
        "promotions": [_promotion(row) for row in queries.promotions(store)],
        "change": changes(store, rounds),
        "totals": _totals(store, rounds, runs),
        "resources": resources(store),
        "learned": learned(store),
        "repairs": repairs(store),
        "running": _running(rounds, runs, at),
    }


def _promotion(row: queries.Row) -> Json:
    kept = ("id", "kind", "stage", "candidate", "champion", "decision", "actor", "p_value", "alpha",
            "looks", "reason")  # fmt: skip
    return {
        **{name: row[name] for name in kept},
        "at": row["created_at"],
        "round": row["round_id"],
        "effect": figure(row["effect"], row["low"], row["high"], row["n"]),
        "figures": json_object(row["figures"]),
        "alternative": json_object(row["alternative"]),
        "provenance": {"promotion": row["id"], "stage_run": row["stage_run_id"]},
    }


def _totals(store: Store, rounds: list[Json], runs: list[queries.Row]) -> Json:
    samples = queries.samples_by_run(store)
    words = dict.fromkeys(WORDS, 0)
    words.update({row["verdict"]: row["n"] for row in queries.verdicts_by_word(store)})
    hours: dict[str, float] = {}
    for run in runs:
        hours[run["stage"]] = hours.get(run["stage"], 0.0) + run_seconds(run) / 3600
    return {
        "rounds": len(rounds),
        "problems": {row["split"]: row["n"] for row in queries.problems_by_split(store)},
        "samples": sum(row["samples"] for row in samples),
        "tokens": sum(row["tokens"] for row in samples),
        "distinct_programs": queries.distinct_programs(store),
        "verdicts": words,
        "verdicts_total": sum(words.values()),
        "hours": sum(hours.values()),
        "hours_by_stage": hours,
        "models": _model_counts(queries.models(store)),
    }


def _model_counts(models: list[queries.Row]) -> Json:
    by_status: dict[str, int] = {}
    for model in models:
        by_status[model["status"]] = by_status.get(model["status"], 0) + 1
    champions = {m["kind"]: m["id"] for m in models if m["status"] == "champion"}
    stale = {m["id"]: m["stale"] for m in models if m["stale"]}
    return {
        "total": len(models), "by_status": by_status, "champions": champions, "stale": stale
    }  # fmt: skip


def _running(rounds: list[Json], runs: list[queries.Row], now: float) -> Json | None:
    """The stage run that is going on, or the round that waits for its next stage, or None."""
    open_rounds = [row for row in rounds if row["status"] == "running"]
    open_runs = [run for run in runs if run["status"] == "running"]
    if not open_rounds and not open_runs:
        return None
    run: dict[str, Any] = max(open_runs, key=lambda row: row["id"]) if open_runs else {}
    started = run.get("started_at")
    beat = run.get("heartbeat_at") or started
    return {
        "round": run["round_id"] if run else open_rounds[-1]["id"],
        "stage": run.get("stage"),
        "stage_run": run.get("id"),
        "attempt": run.get("attempt"),
        "phase": run.get("phase", ""),
        "done": run.get("done", 0),
        "total": run.get("total", 0),
        "unit": run.get("unit", ""),
        "started_at": started,
        "seconds": None if started is None else max(0.0, now - started),
        "heartbeat_age_s": None if beat is None else max(0.0, now - beat),
    }
