"""Versions of the CTM in the store: weights, configuration and vocabulary on disk, with hashes.

How a version is read (``reading.py``) is part of it; one from before there was any has the default.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from memory.files import sha256_file, write_atomically
from memory.records import ModelRow
from memory.store import Store
from trainers.ctm.config import configured
from trainers.ctm.data.manifest import VOCABULARY
from trainers.ctm.data.tokenizer import CodeTokenizer
from trainers.ctm.models import Kind, build
from trainers.ctm.reading import Reading
from trainers.ctm.repair import Repairer
from trainers.ctm.repair_model import RepairModel
from trainers.errors import CheckpointError
from trainers.stage import StageContext

KIND = "ctm"
_WEIGHTS, _MANIFEST = "model.safetensors", "version.json"

_OF_ROUND = """
SELECT m.id FROM models m JOIN stage_runs r ON r.id = m.stage_run_id
WHERE m.kind = ? AND r.round_id = ? AND m.checkpoint IS NOT NULL ORDER BY m.version DESC LIMIT 1
"""


@dataclass(frozen=True)
class Loaded:
    """A version, ready to repair."""

    row: ModelRow
    model: RepairModel
    tokenizer: CodeTokenizer
    reading: Reading

    def repairer(self, device: str = "cpu", *, bf16: bool = False) -> Repairer:
        """The version as it is used: how long it thinks and when it acts is of its reading."""
        model, read = self.model.to(device), self.reading
        return Repairer(model, threshold=read.threshold, least=read.least, device=device, bf16=bf16)


def version_of_round(context: StageContext) -> ModelRow | None:
    """The version that an earlier attempt of this round's stage finished, if one did."""
    found = context.store.query(_OF_ROUND, (KIND, context.round_id))
    return context.store.model(found[0]["id"]) if found else None


def save(
    context: StageContext,
    model: RepairModel,
    reading: Reading,
    vocabulary: Path,
    pairs: list[tuple[int, int]],
    told: str,
) -> ModelRow:
    """Store a version and the (sample id, verdict id) of the store that it learned from.

    Raises:
        SplitGuardError: one of these samples is not of a train problem.
    """
    store = context.store
    parent = store.champion(KIND)
    version = 1 + max((row.version for row in store.models(KIND)), default=0)
    folder = Path("checkpoints") / f"{KIND}-{version:04d}"
    target = context.state_dir / folder
    target.mkdir(parents=True, exist_ok=True)
    state = {n: value.detach().cpu().contiguous() for n, value in model.state_dict().items()}
    save_file(state, target / _WEIGHTS)
    shutil.copyfile(vocabulary, target / VOCABULARY)
    files = {str(folder / n): sha256_file(target / n) for n in (_WEIGHTS, VOCABULARY)}
    facts = {
        "files": files,
        "model": model.config.model_dump(mode="json"),
        "model_kind": KIND,
        "reading": reading.to_json(),
    }
    write_atomically(target / _MANIFEST, json.dumps(facts, indent=1).encode())
    row = store.begin_model(
        KIND,
        {"training": context.settings.ctm.model_dump(mode="json"), **facts},
        generator_id=None,
        parent=parent.id if parent else None,
        stage_run_id=context.stage_run_id,
        code_version=_code_version(store, context.round_id),
    )
    store.add_training_examples(row.id, pairs)
    manifest = folder / _MANIFEST
    row = store.complete_model(row.id, manifest, sha256_file(context.state_dir / manifest))
    store.event(
        "ctm.trained",
        f"{row.id}: {told}",
        round_id=context.round_id,
        stage_run_id=context.stage_run_id,
    )
    return row


def load(state_dir: Path, row: ModelRow) -> Loaded:
    """A version from its files.

    Raises:
        CheckpointError: a file is missing, changed or no such model.
    """
    if row.checkpoint is None:
        raise CheckpointError(f"{row.id} has no checkpoint; `kent round ctm` trains a new version")
    for name, sha256 in row.config.get("files", {}).items():
        path = state_dir / name
        if not path.is_file() or sha256_file(path) != sha256:
            raise CheckpointError(
                f"{row.id}: {path} is missing or changed; `kent round ctm` trains a new version"
            )
    folder = (state_dir / row.checkpoint).parent
    try:
        model = build(cast(Kind, row.config["model_kind"]), configured(row.config["model"]))
        model.load_state_dict(load_file(folder / _WEIGHTS))
        told = row.config.get("reading")
        reading = Reading.from_json(told) if told else Reading()
    except (OSError, SafetensorError, KeyError, RuntimeError, TypeError) as error:
        raise CheckpointError(
            f"{row.id} cannot be loaded ({error}); `kent round ctm` trains a new version"
        ) from error
    return Loaded(row, model.eval(), CodeTokenizer.load(folder / VOCABULARY), reading)


def _code_version(store: Store, round_id: int) -> str:
    rows = store.query("SELECT code_version FROM rounds WHERE id = ?", (round_id,))
    return str(rows[0]["code_version"])
