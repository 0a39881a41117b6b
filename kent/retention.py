"""Which files of a state directory may go, and their removal; no sample is ever among them."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kent.caches import feature_folder, remove, too_much
from kent.disk import in_words
from kent.logs import log
from kent.promotion import line_of_champions
from kent.service_settings import RetentionConfig
from memory.files import sha256_file
from memory.records import ModelRow
from memory.store import Store

CHECKPOINTS = Path("checkpoints")
_GRACE_S = 3600.0  # a file that no row names yet may be about to be named
_KEPT_WEIGHTS = 3  # of a neural memory, as it keeps them itself

_KINDS = "SELECT DISTINCT kind FROM models ORDER BY kind"
_AT_WORK = """
SELECT m.id, m.kind FROM models m JOIN stage_runs r ON r.id = m.stage_run_id
JOIN rounds o ON o.id = r.round_id WHERE o.status = 'running' OR m.status = 'training'
"""
_WEIGHTS = """
SELECT checkpoint FROM memory_versions v WHERE version > (
    SELECT max(version) FROM memory_versions WHERE memory = v.memory) - ?
"""


@dataclass(frozen=True)
class Doomed:
    """A file or folder that goes: its place below the state directory, its bytes, and why."""

    path: Path
    bytes: int
    reason: str

    def to_json(self) -> dict[str, Any]:
        """The form of ``kent state prune --json``."""
        return {"path": self.path.as_posix(), "bytes": self.bytes, "reason": self.reason}


@dataclass
class Plan:
    """What retention would remove: versions that lose their checkpoint, and files."""

    versions: dict[str, str] = field(default_factory=dict)  # model id: reason
    files: list[Doomed] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """How much space it gives back."""
        return sum(one.bytes for one in self.files)

    def in_lines(self) -> list[str]:
        """The plan for a person."""
        lines = [f"{one.path}  {in_words(one.bytes)}  {one.reason}" for one in self.files]
        return [*lines, f"{in_words(self.bytes)} in {len(self.files)} files and folders"]


def plan(
    store: Store, rules: RetentionConfig, *, stage_running: bool, now: float | None = None
) -> Plan:
    """What the rules let go, and nothing that is in use.

    Args:
        store: of the state directory.
        rules: how much stays.
        stage_running: a stage may be at work; then the caches are left alone.
        now: Unix seconds; the clock's where it is None.
    """
    state_dir = store.path.parent
    at = time.time() if now is None else now
    round_row = store.current_round()
    # What a round that is open has written may be named by a row that is still to come.
    before = min([at - _GRACE_S, *([round_row.started_at] if round_row else [])])
    kept, dropped = _versions(store, rules.candidates)
    found = Plan(versions={row.id: "older than retention.candidates" for row in dropped})
    named = set(_files_of(state_dir, kept))
    named |= {Path(row["checkpoint"]) for row in store.query(_WEIGHTS, (_KEPT_WEIGHTS,))}
    of_dropped = {path: row.id for row in dropped for path in _files_of(state_dir, [row])}
    begun = tuple(f"{row.id}." for row in kept if row.status == "training")
    for path in sorted(_files(state_dir, CHECKPOINTS)):
        if path in named or path.name.startswith(begun):
            continue
        facts = (state_dir / path).lstat()
        if path in of_dropped:
            found.files.append(Doomed(path, facts.st_size, f"of {of_dropped[path]}"))
        elif facts.st_mtime < before:
            found.files.append(Doomed(path, facts.st_size, "no version has it"))
    if not stage_running:
        keep = [feature_folder(source) for row in kept if (source := _source(row))]
        found.files += [
            Doomed(entry.path, entry.bytes, "over retention.caches_gb")
            for entry in too_much(state_dir, rules.caches_gb, keep, at)
        ]
    return found


def carry_out(store: Store, planned: Plan) -> None:
    """Do what was planned: first the rows, so that none ever names a file that is gone.

    Raises:
        StoreError: a version came into use meanwhile; nothing of it was removed.
        OSError: a file cannot be removed.
    """
    for model_id, reason in planned.versions.items():
        store.forget_checkpoint(model_id, reason)
    for one in planned.files:
        remove(store.path.parent / one.path)
    _remove_empty(store.path.parent / CHECKPOINTS)


def prune(store: Store, rules: RetentionConfig) -> Plan:
    """Plan and carry out between two stages; what was removed.

    A file that cannot be removed is told and does not end a round.
    """
    planned = plan(store, rules, stage_running=False)
    try:
        carry_out(store, planned)
    except OSError as error:
        log.warning("retention: %s cannot be removed: %s", error.filename, error.strerror)
    if planned.files:
        log.info("retention: %s given back", planned.in_lines()[-1])
    return planned


def forget_missing(store: Store) -> list[str]:
    """Let versions that are not in use be without the checkpoint that is not there; their ids.

    A restored database is older than the files beside it: some of what it names was pruned since.
    """
    missing = []
    for (kind,) in [(row["kind"],) for row in store.query(_KINDS)]:
        for row in store.models_with_files(kind):
            if row.checkpoint is None or row.status in ("training", "champion"):
                continue
            if not (store.path.parent / row.checkpoint).is_file():
                store.forget_checkpoint(row.id, "its file is not there", damaged=True)
                missing.append(row.id)
    return missing


def damage(state_dir: Path, row: ModelRow) -> str | None:
    """What is wrong with a version's files by their hashes; None: nothing."""
    if row.checkpoint is None or row.sha256 is None:
        return "it has no checkpoint"
    for name, sha256 in {row.checkpoint: row.sha256, **row.config.get("files", {})}.items():
        try:
            if sha256_file(state_dir / name) != sha256:
                return f"{name} is not what its SHA-256 says"
        except OSError as error:
            return f"{name} cannot be read: {error.strerror or error}"
    return None


def _versions(store: Store, candidates: int) -> tuple[list[ModelRow], list[ModelRow]]:
    """The versions whose files stay, and those with a checkpoint whose files go."""
    at_work = store.query(_AT_WORK)
    kept, dropped = [], []
    for (kind,) in [(row["kind"],) for row in store.query(_KINDS)]:
        rows = store.models_with_files(kind)
        wanted = {row["id"] for row in at_work if row["kind"] == kind}
        wanted |= set(line_of_champions(store, kind)[-2:])
        wanted |= {row.id for row in rows[-candidates:]}
        kept += [store.model(model_id) for model_id in sorted(wanted)]
        dropped += [row for row in rows if row.id not in wanted]
    return kept, dropped


def _files_of(state_dir: Path, rows: list[ModelRow]) -> Iterator[Path]:
    """Every file of these versions: what their rows name, and the folder that is one's own."""
    for row in rows:
        if row.checkpoint is None:
            continue
        checkpoint = Path(row.checkpoint)
        yield checkpoint
        yield from (Path(name) for name in row.config.get("files", {}))
        if checkpoint.parent.name == row.id:
            yield from _files(state_dir, checkpoint.parent)


def _files(state_dir: Path, folder: Path) -> Iterator[Path]:
    for path in (state_dir / folder).rglob("*"):
        if path.is_file() or path.is_symlink():
            yield path.relative_to(state_dir)


def _source(row: ModelRow) -> str | None:
    """Whose features a version reads, where it reads any."""
    spec = row.config.get("spec")
    return spec.get("feature_source") if isinstance(spec, dict) else None


def _remove_empty(folder: Path) -> None:
    """Remove the folders below that hold nothing any more."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
