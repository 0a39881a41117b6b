"""Versions of the synthetic model in the store: this round's candidate, the champion."""

from dataclasses import dataclass
from pathlib import Path

from memory.records import ModelRow
from trainers.errors import CheckpointError
from trainers.fractal.synthetic.model import SyntheticModel, load_model, save_model
from trainers.fractal.synthetic.train import OnStep, train
from trainers.stage import StageContext
from trainers.synthetic_settings import SyntheticConfig

KIND = "fractal"
_OF_ROUND = """
SELECT m.id FROM models m JOIN stage_runs r ON r.id = m.stage_run_id
WHERE m.kind = ? AND r.round_id = ? AND m.checkpoint IS NOT NULL ORDER BY m.version DESC LIMIT 1
"""


@dataclass(frozen=True)
class Version:
    """A model with its row in the store."""

    row: ModelRow
    model: SyntheticModel


def champion(context: StageContext) -> Version | None:
    """The version in use, if there is one."""
    row = context.store.champion(KIND)
    return None if row is None else load_version(context, row)


def newest(context: StageContext) -> Version | None:
    """The version in use; where none is yet, the last that was trained."""
    used = champion(context)
    if used is not None:
        return used
    trained = [row for row in context.store.models(KIND) if row.checkpoint]
    return load_version(context, trained[-1]) if trained else None


def version_of_round(context: StageContext) -> Version | None:
    """The version that an earlier attempt of this round's stage finished, if one did."""
    found = context.store.query(_OF_ROUND, (KIND, context.round_id))
    return load_version(context, context.store.model(found[0]["id"])) if found else None


def train_version(
    context: StageContext, config: SyntheticConfig, on_step: OnStep = lambda step, loss: None
) -> Version:
    """The round's candidate: what an earlier attempt finished, or trained on from the champion.

    A training that was cut goes on from its last checkpoint.

    Raises:
        Stopped: the daemon asked for it.
    """
    if made := version_of_round(context):
        return made
    now = champion(context)
    store = context.store
    row = store.begin_model(
        KIND,
        {"synthetic": config.model_dump(mode="json"), "seed": context.seed},
        generator_id=None,
        parent=now.row.id if now else None,
        stage_run_id=context.stage_run_id,
        code_version=_code_version(context),
    )

    def after_step(step: int, loss: float) -> None:
        on_step(step, loss)
        context.check_stop()

    progress = context.state_dir / "checkpoints" / f"{row.id}.training.safetensors"
    model = train(config, context.seed, now.model if now else None, progress, after_step)
    checkpoint = Path("checkpoints") / f"{row.id}.safetensors"
    sha256 = save_model(model, context.state_dir / checkpoint)
    row = store.complete_model(row.id, checkpoint, sha256)
    progress.unlink(missing_ok=True)
    return load_version(context, row)


def load_version(context: StageContext, row: ModelRow) -> Version:
    """Load a version from its checkpoint.

    Raises:
        CheckpointError: it has none, or the file is missing or damaged.
    """
    if row.checkpoint is None or row.sha256 is None:
        raise CheckpointError(f"{row.id} has no checkpoint; train a new model (`kent round`)")
    return Version(row, load_model(context.state_dir / row.checkpoint, row.sha256))


def _code_version(context: StageContext) -> str:
    found = context.store.query("SELECT code_version FROM rounds WHERE id = ?", (context.round_id,))
    return str(found[0]["code_version"])
