"""Versions of the code trainer in the store: what a round fitted, on disk, with its hashes."""

import json
from dataclasses import dataclass
from pathlib import Path

from memory.files import sha256_file, write_atomically
from memory.hologram.container import HologramContainer
from memory.records import ModelRow
from memory.store import Store
from trainers.code_trainer.edits.priors import Priors
from trainers.code_trainer.edits.second_look import SecondLook
from trainers.code_trainer.generation import FittedGenerator, load_generation
from trainers.code_trainer.knowledge import MEMORY, Knowledge, recall
from trainers.code_trainer.localisation import Yardstick
from trainers.code_trainer.localise import Localiser
from trainers.errors import CheckpointError
from trainers.heap import set_apart
from trainers.stage import StageContext

KIND = "code"
_MANIFEST, _PRIORS, _LOCALISER = "version.json", "priors.json", "localiser"
_LOOK = "second_look"
INDEXES, TABLES = Path("cache") / "index", Path("cache") / "tables"
"""Below the state directory: where the localiser keeps repositories' indexes and tasks' tables."""

_OF_ROUND = """
SELECT m.id FROM models m JOIN stage_runs r ON r.id = m.stage_run_id
WHERE m.kind = ? AND r.round_id = ? AND m.checkpoint IS NOT NULL ORDER BY m.version DESC LIMIT 1
"""


@dataclass(frozen=True)
class Fitted:
    """What a version is beside the memory: the order, where to look, and who writes patches.

    ``problems``: the train problems whose solutions the order has learned from.
    """

    priors: Priors
    localiser: Localiser | None
    generator: FittedGenerator | None = None
    problems: tuple[str, ...] = ()
    second_look: SecondLook | None = None


def in_use(store: Store) -> ModelRow | None:
    """The champion; where there is none yet, the newest version."""
    found = store.champion(KIND)
    return found or next((row for row in reversed(store.models(KIND)) if row.checkpoint), None)


def version_of_round(context: StageContext) -> ModelRow | None:
    """The version that an earlier attempt of this round's stage finished, if one did."""
    found = context.store.query(_OF_ROUND, (KIND, context.round_id))
    return context.store.model(found[0]["id"]) if found else None


def save(context: StageContext, fitted: Fitted, task_ids: list[str], told: str) -> ModelRow:
    """Store a version: its files, their hashes, and the ids of the tasks that it learned from.

    Raises:
        SplitGuardError: one of these is not a train task.
    """
    store = context.store
    parent = store.champion(KIND)
    version = 1 + max((row.version for row in store.models(KIND)), default=0)
    folder = Path("checkpoints") / f"{KIND}-{version:04d}"
    files = _write(context.state_dir, folder, fitted)
    row = store.begin_model(
        KIND,
        {
            "training": context.settings.code.model_dump(mode="json"),
            "files": files,
            "problems": list(fitted.problems),
        },
        generator_id=None,
        parent=parent.id if parent else None,
        stage_run_id=context.stage_run_id,
        code_version=_code_version(store, context.round_id),
    )
    store.add_training_tasks(row.id, task_ids)
    manifest = folder / _MANIFEST
    row = store.complete_model(row.id, manifest, sha256_file(context.state_dir / manifest))
    store.event(
        "code.trained",
        f"{row.id}: {told}",
        round_id=context.round_id,
        stage_run_id=context.stage_run_id,
    )
    return row


def load(
    state_dir: Path,
    store: Store,
    row: ModelRow | None,
    container: HologramContainer,
    *,
    caches: Path | None = None,
) -> Knowledge:
    """The knowledge of a version; of None what the store remembers, with nothing fitted.

    Args:
        state_dir: below which its files are.
        store: of the memory.
        row: the version.
        container: on which the memory is.
        caches: the state directory whose caches are used, by default ``state_dir``.

    Raises:
        CheckpointError: a file is missing or is not what its hash says.
    """
    caches = caches or state_dir
    if row is None:
        return recall(store, container, Priors(), yardstick=Yardstick(caches / INDEXES))
    for name, sha256 in row.config.get("files", {}).items():
        path = state_dir / name
        if not path.is_file() or sha256_file(path) != sha256:
            raise CheckpointError(
                f"{row.id}: {path} is missing or changed; `kent round code` trains a new version"
            )
    if row.checkpoint is None:
        raise CheckpointError(f"{row.id} has no checkpoint; `kent round code` trains a new version")
    folder = (state_dir / row.checkpoint).parent
    localiser = None
    if (folder / _LOCALISER).is_dir():
        localiser = Localiser.load(
            folder / _LOCALISER, indexes=caches / INDEXES, cache=caches / TABLES
        )
    memory = container.create_neural_memory(MEMORY)
    generator = load_generation(folder, container.codebook, memory)
    priors, look = load_order(folder)
    ranks = Yardstick(caches / INDEXES)
    known = recall(store, container, priors, localiser, generator, ranks, look)
    set_apart()
    return known


def load_order(folder: Path) -> tuple[Priors, SecondLook | None]:
    """The order of candidates that a version's folder holds; versions of old have no second look.

    Raises:
        CheckpointError: a file is missing or cannot be read.
    """
    look = SecondLook.load(folder / _LOOK) if (folder / _LOOK).is_dir() else None
    return Priors.load(folder / _PRIORS), look


def _write(state_dir: Path, folder: Path, fitted: Fitted) -> dict[str, str]:
    target = state_dir / folder
    target.mkdir(parents=True, exist_ok=True)
    fitted.priors.save(target / _PRIORS)
    if fitted.second_look is not None:
        fitted.second_look.save(target / _LOOK)
    if fitted.localiser is not None:
        fitted.localiser.save(target / _LOCALISER)
    if fitted.generator is not None:
        fitted.generator.save(target)
    files = {
        str(path.relative_to(state_dir)): sha256_file(path)
        for path in sorted(target.rglob("*"))
        if path.is_file() and path.name != _MANIFEST
    }
    write_atomically(target / _MANIFEST, json.dumps({"files": files}, indent=1).encode())
    return files


def _code_version(store: Store, round_id: int) -> str:
    rows = store.query("SELECT code_version FROM rounds WHERE id = ?", (round_id,))
    return str(rows[0]["code_version"])
