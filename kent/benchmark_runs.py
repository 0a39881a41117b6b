"""The runs of `kent benchmark` in a state directory: a folder each, what was asked and found."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kent.benchmark_rows import Items
from kent.errors import KentError
from memory.files import write_atomically
from memory.store import Store

Json = dict[str, Any]

FOLDER = "benchmarks"


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
        found: Json | None = read(self.folder / "document.json")
        return found

    @property
    def items(self) -> dict[str, Items]:
        """Part by part, what it measured item by item."""
        return read(self.folder / "items.json") or {}

    @property
    def asked(self) -> Json:
        """What it was asked for."""
        return read(self.folder / "asked.json") or {}


def runs(state_dir: Path) -> list[Run]:
    """All runs, oldest first."""
    folders = (state_dir / FOLDER).glob("run-*")
    return [Run(folder) for folder in sorted(folders) if (folder / "asked.json").is_file()]


def begun(state_dir: Path, asked: Asked) -> Run:
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
    write(folder / "asked.json", asked)
    return Run(folder)


def replayed(state_dir: Path, name: str) -> Run:
    """A new run over a finished one's stored samples: its round goes on as one that was cut.

    Raises:
        KentError: there is no such run, or it has not finished.
    """
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


def read(path: Path) -> Any:
    """A JSON document of a run's folder; None: it is not there."""
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def write(path: Path, document: Any) -> None:
    """Write a JSON document, wholly or not at all."""
    write_atomically(path, json.dumps(document, indent=1).encode())
