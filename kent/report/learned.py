"""What the memory learned: patterns by success, failures that steer the search, work saved."""

from typing import Any

from kent.report import learned_queries as queries
from kent.report.values import Json, figure, json_object
from memory.hologram.intervals import wilson
from memory.hologram.self_improvement import SelfImprovementManager
from memory.store import Store

_SHOWN = 8
_UNTRAINED = ", untrained"


def learned(store: Store) -> Json:
    """The memory as plain JSON values.

    ``patterns`` are ordered by the lower end of their success rate's interval, so that one success
    in one try does not stand above eight in ten; only those that succeeded are among them.
    ``constraints`` are the edits that failed most often without one success. ``saved`` compares
    the programs run on the same tasks by the learned order and by an untrained one; None where no
    stage run measured both. ``ablation`` is the last benchmark's, with and without the constraints.
    ``rounds``: what was known at the end of each; ``last``: how the repairs of the last one that
    had any went, by mode and model.
    """
    return {
        "counts": queries.counts(store),
        **_by_round(store),
        "patterns": _patterns(store),
        "constraints": [_constraint(row) for row in queries.constraints(store, _SHOWN)],
        "saved": _saved(store),
        "ablation": _ablation(store),
    }


def _by_round(store: Store) -> Json:
    improvement, last = SelfImprovementManager(store), queries.last_repairing_round(store)
    repairs = [] if last is None else improvement.repairs(last)
    return {
        "rounds": [{"round": key, **known} for key, known in improvement.learned().items()],
        "last": {"round": last, "repairs": [one.to_json() for one in repairs]},
    }


def _patterns(store: Store) -> list[Json]:
    rows = [
        {
            "pattern": row["pattern"],
            "text": _pattern_text(row["pattern"], row["abstraction"]),
            "operation": row["operation"],
            "contexts": row["contexts"],
            "rate": wilson(row["successes"], row["n"]).to_json(),
            "seen_in_fixes": row["support"],
        }
        for row in queries.successes(store)
    ]
    rows.sort(key=lambda row: (-row["rate"]["low"], -row["rate"]["n"], row["pattern"]))
    return rows[:_SHOWN]


def _constraint(row: queries.Row) -> Json:
    return {
        "operator": row["operator"],
        "text": _pattern_text(row["operator"], row["abstraction"]),
        "operation": row["operation"],
        "failures": row["failures"],
        "contexts": row["contexts"],
        "tasks": row["tasks"],
        "nearest": row["nearest"],
    }


def _pattern_text(key: str, abstraction: str | None) -> str:
    """The edit as a person reads it; an arm of the fractal loop by its name."""
    if not abstraction:
        domain, _, arm = key.partition(":")
        return f"{arm} ({domain} loop)" if arm else key
    from trainers.code_trainer.edits.pattern import Pattern

    try:
        return str(Pattern.from_json(json_object(abstraction)))
    except (ValueError, KeyError, TypeError):  # of another version: its name still tells it apart
        return key


def _saved(store: Store) -> Json | None:
    """The last stage run that solved tasks in both orders; test tasks before validation ones."""
    for split in ("test", "validation"):
        rows = queries.paired_repairs(store, split, split + _UNTRAINED)
        if rows:
            return {
                "split": split,
                "stage_run": rows[0]["stage_run_id"],
                "tasks": len(rows),
                "learned": _side(rows, "candidates", "outcome"),
                "untrained": _side(rows, "cold_candidates", "cold_outcome"),
            }
    return None


def _side(rows: list[queries.Row], candidates: str, outcome: str) -> Json:
    solved = sum(row[outcome] == "resolved" for row in rows)
    return {
        "programs": sum(row[candidates] for row in rows),
        "resolved": wilson(solved, len(rows)).to_json(),
    }


def _ablation(store: Store) -> Json | None:
    """Programs needed and tasks resolved with all of the memory, and without the constraints."""
    row = queries.last_ablation(store)
    if row is None:
        return None
    full, without = json_object(row["isolated"]), json_object(row["without"])
    names = ("median_candidates", "resolved")
    return {
        "round": row["round_id"],
        "stage_run": row["id"],
        "with": {name: _stored(full.get(name)) for name in names},
        "without": {name: _stored(without.get(name)) for name in names},
    }


def _stored(found: Any) -> Json:
    one = found if isinstance(found, dict) else {}
    return figure(one.get("value"), one.get("low"), one.get("high"), one.get("n"))
