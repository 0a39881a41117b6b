"""`kent benchmark`: every trainer measured on a frozen copy of the state directory, in one run.

A run has a folder of its own: the frozen snapshot, and a copy to work in, where the measuring
stages write samples and verdicts. So nothing of a test set reaches the state directory but the
figures. A run that was cut is taken up by the next that asks for the same.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kent.benchmark_document import STAGES, document_of
from kent.benchmark_runs import Asked, begun, read, replayed, runs, write
from kent.config import KentConfig
from kent.daemon import run_one_round
from memory.store import Store
from trainers.honest.audit import audit
from trainers.honest.snapshot import Snapshot, freeze

Json = dict[str, Any]

KEPT_RUNS = 3
_COPIED = ("checkpoints", "models", "features")
_SHARED = ("cache", "swe", "ctm")
"""Folders with nothing that was learned: unpacked repositories, environments, built data."""


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
    run = replayed(config.state_dir, replay) if replay else begun(config.state_dir, asked)
    asked = Asked.of(run.asked)
    with Store.open(config.state_dir / "kent.db", read_only=True) as store:
        snapshot = freeze(store, config.state_dir, run.folder / "snapshot")
    with snapshot.open() as frozen:
        audit(frozen)
        if not (run.work / "kent.db").is_file():
            _make_work(config.state_dir, snapshot, run.work)
        found = read(run.folder / "contamination.json")
        if found is None:
            found = contamination(frozen)
            write(run.folder / "contamination.json", found)
    outcome = run_one_round(_settings(config, asked, run.work), named=True)
    snapshot.verify()
    if outcome.status == "stopped":
        return None
    document = document_of(config.state_dir, run, asked, outcome.round_id, found, snapshot.sha256)
    write(run.folder / "document.json", document)
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
