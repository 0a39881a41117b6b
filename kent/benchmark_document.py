"""The document of a run of `kent benchmark`: its figures, and what each is compared with."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from kent.benchmark_rows import UNTRAINED, Items, items_of, rows_of
from kent.benchmark_runs import Asked, Run, runs, write
from kent.stages import short_name
from memory.records import StageRunRow
from memory.store import Store
from trainers import statistics
from trainers.honest.compare import compare

Json = dict[str, Any]

STAGES = {
    "critic": "trainers.critic.benchmark:CriticBenchmark",
    "fractal": "kent.benchmark_fractal:fractal_benchmark",
    "code": "trainers.code_trainer.benchmark_stage:CodeBenchmark",
    "ctm": "kent.benchmark_parts:CTMInUse",
    "sandbox": "kent.benchmark_parts:SandboxSpeed",
}


def document_of(
    state_dir: Path, run: Run, asked: Asked, round_id: int, contamination: Json, sha256: str
) -> Json:
    """What a finished round measured; its values by item are kept beside it for the next run.

    Args:
        state_dir: that was measured.
        run: whose folder has the round's store.
        asked: see ``Asked``.
        round_id: of the round that measured.
        contamination: what was found of the test items in what was trained on.
        sha256: of the snapshot.
    """
    with Store.open(run.work / "kent.db", read_only=True) as store:
        last = {row.stage: row for row in store.stage_runs(round_id)}
        loops = _loop_items(store, round_id)
    parts = {part: _part(part, last.get(short_name(STAGES[part]))) for part in asked.parts}
    items = {
        part: items_of(part, last[short_name(STAGES[part])].metrics, loops)
        for part in asked.parts
        if parts[part]["status"] == "done"
    }
    write(run.folder / "items.json", items)
    earlier = _earlier(state_dir, run)
    flagged = set(contamination.get("flagged", ()))
    for part, found in items.items():
        parts[part]["comparisons"] = comparisons(found, earlier.items.get(part) if earlier else {})
        parts[part]["untrained"] = UNTRAINED[part]
        parts[part]["without_flagged"] = _without(found, flagged)
    return {
        "run": run.name,
        **asdict(asked),
        "snapshot": sha256,
        "previous": earlier.name if earlier else None,
        "parts": parts,
        "contamination": contamination,
    }


def _part(part: str, row: StageRunRow | None) -> Json:
    if row is None or row.status != "done":
        error = row.error if row else "it was not run"
        return {"status": row.status if row else "failed", "error": error, "rows": []}
    rows = [one.to_json() for one in rows_of(part, row.metrics)]
    notes = list(row.metrics.get("notes", ()))
    judged = row.metrics.get("judged")
    more = {} if judged is None else {"judged": judged}
    return {"status": "done", "error": None, "rows": rows, "notes": notes, **more}


def _loop_items(store: Store, round_id: int) -> Items:
    """The fractal loop and its rival, problem by problem."""
    names = {"evaluation": "isolated", "resampling": "cold"}
    items: Items = {}
    for mode, told in names.items():
        figures = items.setdefault(told, {})
        for row in store.loops(round_id=round_id, mode=mode):  # type: ignore[arg-type]
            if row.right is not None:
                figures.setdefault(f"{row.domain} solved", {})[row.task] = float(bool(row.right))
    return items


def _earlier(state_dir: Path, run: Run) -> Run | None:
    before = [one for one in runs(state_dir) if one.document and one.name < run.name]
    return before[-1] if before else None


def comparisons(now: Items, then: Items | None) -> Json:
    """Each figure against the untrained solver's, and against the run before."""
    found: Json = {}
    for name, values in now.get("isolated", {}).items():
        untrained = now.get("cold", {}).get(name)
        previous = (then or {}).get("isolated", {}).get(name)
        found[name] = {
            "untrained": compare(values, untrained) if untrained else None,
            "previous": compare(values, previous) if previous else None,
        }
    return found


def _without(items: Items, flagged: set[str]) -> Json:
    """The mean of each figure over all items, and over those that nothing speaks against."""
    found: Json = {}
    for mode, figures in items.items():
        for name, values in figures.items():
            clean = [float(value) for key, value in values.items() if key not in flagged]
            found.setdefault(name, {})[mode] = {
                "all": statistics.rate([float(v) for v in values.values()]).to_json(),
                "unflagged": statistics.rate(clean).to_json(),
            }
    return found
