"""`kent benchmark`: every trainer measured on a frozen copy of the state directory, in one run.

A run has a folder of its own: the frozen snapshot, and a copy to work in, where the measuring
stages write samples and verdicts. So nothing of a test set reaches the state directory but the
figures. A run that was cut is taken up by the next that asks for the same.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kent.benchmark_rows import Items, items_of, rows_of
from kent.config import KentConfig
from kent.daemon import run_one_round
from kent.errors import KentError
from kent.stages import short_name
from memory.files import write_atomically
from memory.records import StageRunRow
from memory.store import Store
from trainers.honest.audit import audit
from trainers.honest.compare import compare
from trainers.honest.snapshot import Snapshot, freeze

Json = dict[str, Any]

STAGES = {
    "critic": "trainers.critic.benchmark:CriticBenchmark",
    "fractal": "kent.benchmark_fractal:fractal_benchmark",
    "code": "trainers.code_trainer.benchmark_stage:CodeBenchmark",
    "ctm": "kent.benchmark_parts:CTMInUse",
    "sandbox": "kent.benchmark_parts:SandboxSpeed",
}
FOLDER, KEPT_RUNS = "benchmarks", 3
_COPIED = ("checkpoints", "models", "features")
_SHARED = ("cache", "swe", "ctm")
"""Folders with nothing that was learned: unpacked repositories, environments, built data."""


@dataclass(frozen=True)
class Asked:
    """What a run is asked for; ``sets`` and ``limit`` are also in the configuration."""

    seed: int
    limit: int
    sets: tuple[str, ...]
    modes: tuple[str, ...]
    parts: tuple[str, ...]
    date_after: str = ""

    @classmethod
    def of(cls, document: Json) -> "Asked":
        """What a run's ``asked.json`` holds."""
        return cls(
            seed=document["seed"],
            limit=document["limit"],
            sets=tuple(document["sets"]),
            modes=tuple(document["modes"]),
            parts=tuple(document["parts"]),
            date_after=document.get("date_after", ""),
        )


class Run:
    """One run and its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name
        self.work = folder / "work"

    @property
    def document(self) -> Json | None:
        """What it measured; None: it has not finished."""
        found: Json | None = _read(self.folder / "document.json")
        return found

    @property
    def items(self) -> dict[str, Items]:
        """Part by part, what it measured item by item."""
        return _read(self.folder / "items.json") or {}

    @property
    def asked(self) -> Json:
        """What it was asked for."""
        return _read(self.folder / "asked.json") or {}


def runs(state_dir: Path) -> list[Run]:
    """All runs, oldest first."""
    folders = (state_dir / FOLDER).glob("run-*")
    return [Run(folder) for folder in sorted(folders) if (folder / "asked.json").is_file()]


def measure(
    config: KentConfig,
    asked: Asked,
    replay: str | None = None,
    *,
    contamination: Callable[[Store], Json],
) -> Json | None:
    """Run what was asked for, or go on with the run that was cut; None where it was stopped.

    Args:
        config: of the state directory that is measured.
        asked: see ``Asked``.
        replay: the name of a finished run, whose stored samples are measured anew.
        contamination: looks for test items in what was trained on, in the snapshot's store.

    Raises:
        BenchmarkError: something was learned from the test split, or the snapshot was written to.
        KentError: there is no such run to replay.
        StoreError: the database cannot be used.
    """
    run = _replayed(config.state_dir, replay) if replay else _begun(config.state_dir, asked)
    asked = Asked.of(run.asked)
    with Store.open(config.state_dir / "kent.db", read_only=True) as store:
        snapshot = freeze(store, config.state_dir, run.folder / "snapshot")
    with snapshot.open() as frozen:
        audit(frozen)
        if not (run.work / "kent.db").is_file():
            _make_work(config.state_dir, snapshot, run.work)
        found = _read(run.folder / "contamination.json")
        if found is None:
            found = contamination(frozen)
            _write(run.folder / "contamination.json", found)
    outcome = run_one_round(_settings(config, asked, run.work), named=True)
    snapshot.verify()
    if outcome.status == "stopped":
        return None
    document = _document(config.state_dir, run, asked, outcome.round_id, found, snapshot.sha256)
    _write(run.folder / "document.json", document)
    if not replay:
        with Store.open(config.state_dir / "kent.db", create=False) as store:
            store.event("benchmark", f"benchmark {run.name} is done", data=document)
    shutil.rmtree(run.folder / "snapshot", ignore_errors=True)
    for old in [one for one in runs(config.state_dir) if one.document][:-KEPT_RUNS]:
        shutil.rmtree(old.folder, ignore_errors=True)
    return document


def _settings(config: KentConfig, asked: Asked, work: Path) -> KentConfig:
    """The configuration of the round that measures."""
    names = tuple(STAGES[part] for part in asked.parts)
    limit = {"limit": asked.limit} if asked.limit else {}
    tasks = {"max_test": asked.limit} if asked.limit else {}
    python = config.fractal.python.model_copy(
        update={"eval_problems": asked.limit or config.fractal.python.eval_problems}
    )
    return config.model_copy(
        update={
            "seed": asked.seed,
            "state_dir": work,
            "stages": config.stages.model_copy(update={"enabled": names}),
            "tasks": config.tasks.model_copy(update=tasks),
            "benchmark": config.benchmark.model_copy(update={**limit, "modes": asked.modes}),
            "fractal": config.fractal.model_copy(update={"python": python}),
        }
    )


def _begun(state_dir: Path, asked: Asked) -> Run:
    """The unfinished run that was asked for the same, or a new one."""
    wanted = json.loads(json.dumps(asdict(asked)))
    for run in reversed(runs(state_dir)):
        if run.document is None and run.asked == wanted:
            return run
    return _new(state_dir, wanted)


def _new(state_dir: Path, asked: Json) -> Run:
    numbers = [int(run.name.removeprefix("run-")) for run in runs(state_dir)]
    folder = state_dir / FOLDER / f"run-{1 + max(numbers, default=0):04d}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _write(folder / "asked.json", asked)
    return Run(folder)


def _replayed(state_dir: Path, name: str) -> Run:
    """A new run over a finished one's stored samples: its round goes on as one that was cut."""
    done = {run.name: run for run in runs(state_dir) if run.document}
    if name not in done:
        known = ", ".join(done) or "none"
        raise KentError(f"there is no finished benchmark {name!r} to replay; there are: {known}")
    old = done[name]
    run = _new(state_dir, {**old.asked, "replay_of": name})
    shutil.copytree(old.work, run.work, symlinks=True)
    with Store.open(run.work / "kent.db", create=False) as store:
        store.reopen_round(store.rounds()[-1].id)
    return run


def _make_work(state_dir: Path, snapshot: Snapshot, work: Path) -> None:
    """A state directory to measure in."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    for name in _COPIED:
        if (state_dir / name).is_dir():
            shutil.copytree(state_dir / name, work / name)
    for name in _SHARED:
        (state_dir / name).mkdir(exist_ok=True)
        (work / name).symlink_to(state_dir / name)
    shutil.copyfile(snapshot.folder / "kent.db", work / "kent.db")
    with Store.open(work / "kent.db", create=False) as store:
        if (cut := store.current_round()) is not None:
            store.close_round(cut.id, "failed")  # of the daemon's: it goes on in its own directory


def _document(
    state_dir: Path, run: Run, asked: Asked, round_id: int, contamination: Json, sha256: str
) -> Json:
    with Store.open(run.work / "kent.db", read_only=True) as store:
        last = {row.stage: row for row in store.stage_runs(round_id)}
        loops = _loop_items(store, round_id)
    parts = {part: _part(part, last.get(short_name(STAGES[part]))) for part in asked.parts}
    items = {
        part: items_of(part, last[short_name(STAGES[part])].metrics, loops)
        for part in asked.parts
        if parts[part]["status"] == "done"
    }
    _write(run.folder / "items.json", items)
    earlier = _earlier(state_dir, run)
    flagged = set(contamination.get("flagged", ()))
    for part, found in items.items():
        parts[part]["comparisons"] = _comparisons(found, earlier.items.get(part) if earlier else {})
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
    return {
        told: {
            "solved": {
                f"{row.domain}/{row.task}": float(bool(row.right))
                for row in store.loops(round_id=round_id, mode=mode)  # type: ignore[arg-type]
                if row.right is not None
            }
        }
        for mode, told in names.items()
    }


def _earlier(state_dir: Path, run: Run) -> Run | None:
    before = [one for one in runs(state_dir) if one.document and one.name < run.name]
    return before[-1] if before else None


def _comparisons(now: Items, then: Items | None) -> Json:
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
    from trainers import statistics

    found: Json = {}
    for mode, figures in items.items():
        for name, values in figures.items():
            clean = [float(value) for key, value in values.items() if key not in flagged]
            found.setdefault(name, {})[mode] = {
                "all": statistics.rate([float(v) for v in values.values()]).to_json(),
                "unflagged": statistics.rate(clean).to_json(),
            }
    return found


def _read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def _write(path: Path, document: Any) -> None:
    write_atomically(path, json.dumps(document, indent=1).encode())
