"""What each stage did in each round: its figures, where they came from, and how it ended."""

from collections.abc import Iterable

from kent.report.queries import Row
from kent.report.values import Json, as_figure, figure, json_object, undefined
from kent.report.views import view_of

Group = list[Row]


def run_seconds(run: Row) -> float:
    """How long an attempt ran: to its end, or to its last sign of life."""
    end = run["finished_at"] or run["heartbeat_at"] or run["started_at"]
    return max(0.0, float(end - run["started_at"]))


def stages_of_rounds(
    runs: Iterable[Row], evaluations: Iterable[Row], models: Iterable[Row]
) -> dict[int, dict[str, Json]]:
    """For each round its stages by name.

    The last attempt gives status and error; the figures are those of all attempts, where a later
    one goes before an earlier: an attempt may have measured and been cut before it could end.
    """
    by_run: dict[int, Group] = {}
    for row in evaluations:
        by_run.setdefault(row["stage_run_id"], []).append(row)
    model_by_id = {row["id"]: row for row in models}
    attempts: dict[int, dict[str, list[Row]]] = {}
    for run in runs:
        attempts.setdefault(run["round_id"], {}).setdefault(run["stage"], []).append(run)
    return {
        round_id: {
            stage: _stage(stage, tries, by_run, model_by_id) for stage, tries in stages.items()
        }
        for round_id, stages in attempts.items()
    }


def _stage(
    stage: str, attempts: list[Row], by_run: dict[int, Group], models: dict[str, Row]
) -> Json:
    last = attempts[-1]
    stored = {run["id"]: json_object(run["metrics"]) for run in attempts}
    ended = next((run["id"] for run in reversed(attempts) if stored[run["id"]]), last["id"])
    metrics = stored[ended]
    groups = _groups([row for run in attempts for row in by_run.get(run["id"], [])])
    chosen = _choose(groups, stage, metrics)
    shown = groups.pop(chosen) if chosen else []
    head = shown[0] if shown else {}
    model_id = head.get("model_id") or metrics.get(stage)
    model = models.get(str(model_id), {})
    figures, provenance = _figures(stage, ended, shown, metrics)
    return {
        **figures,
        "generator": metrics.get("generator") or model.get("generator_id"),
        stage: model_id,
        "protocol": head.get("protocol") or metrics.get("protocol"),
        "problem_set": head.get("problem_set") or metrics.get("problem_set"),
        "status": last["status"],
        "error": last["error"],
        "seconds": sum(run_seconds(run) for run in attempts),
        "attempts": len(attempts),
        "seconds_by_phase": metrics.get("seconds") or {},
        "stage_run": ended,
        "tokens": metrics.get("tokens"),
        "tokens_per_s": metrics.get("tokens_per_s"),
        "not_judged": metrics.get("not_judged"),
        "notes": list(metrics.get("notes") or ()),
        "reliability": list(metrics.get("reliability") or ()),
        "analysis": metrics.get("analysis"),
        "learning_set": metrics.get("learning.set"),
        "other_evaluations": [_other(group) for group in groups.values()],
        "provenance": provenance,
    }


def _groups(rows: Group) -> dict[tuple[str, str, str], Group]:
    """Rows that were measured together: one model on one problem set under one protocol."""
    groups: dict[tuple[str, str, str], Group] = {}
    for row in rows:
        groups.setdefault((row["model_id"], row["problem_set"], row["protocol"]), []).append(row)
    return groups


def _choose(
    groups: dict[tuple[str, str, str], Group], stage: str, metrics: Json
) -> tuple[str, str, str] | None:
    """The group that the stage names in its metrics, else the one with most of the key figures."""
    wanted = (metrics.get(stage), metrics.get("problem_set"), metrics.get("protocol"))
    names = {known.name for known in view_of(stage).figures}

    def fit(key: tuple[str, str, str]) -> tuple[int, int]:
        agreed = sum(have == want for have, want in zip(key, wanted, strict=True))
        return agreed, sum(row["metric"] in names for row in groups[key])

    return max(groups, key=fit) if groups else None


def _figures(stage: str, run_id: int, rows: Group, metrics: Json) -> tuple[Json, Json]:
    """The stage's figures by name, and of each the ids of the rows that it came from."""
    measured = {row["metric"]: row for row in rows}
    view = view_of(stage)
    names = [known.name for known in view.every]
    names += [name for name in measured if name not in names]
    figures: Json = {}
    provenance: Json = {}
    for name in names:
        row = measured.get(name)
        stored = as_figure(metrics.get(name)) if row is None else _of_row(row)
        figures[name] = stored or undefined()
        if stored is not None:
            provenance[name] = {
                "evaluation": row["id"] if row else None,
                "model": row["model_id"] if row else metrics.get(stage),
                "stage_run": row["stage_run_id"] if row else run_id,
            }
    return figures, provenance


def _of_row(row: Row) -> Json:
    return figure(row["value"], row["low"], row["high"], row["n"])


def _other(group: Group) -> Json:
    """What was measured beside the figures shown: another model or another problem set."""
    return {
        "model": group[0]["model_id"],
        "problem_set": group[0]["problem_set"],
        "protocol": group[0]["protocol"],
        "figures": {row["metric"]: _of_row(row) for row in group},
        "evaluations": [row["id"] for row in group],
    }
