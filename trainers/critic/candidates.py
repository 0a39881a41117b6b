"""Critic versions in the store: this round's candidate, the champion, their checkpoints."""

from dataclasses import asdict, dataclass
from pathlib import Path

from memory.records import ModelRow
from memory.store import Store
from trainers.critic.examples import Examples
from trainers.critic.model import Critic, CriticSpec, load_critic, save_critic
from trainers.critic.train import train
from trainers.errors import CheckpointError
from trainers.stage import StageContext

KIND = "critic"

_OF_ROUND = """
SELECT m.id FROM models m JOIN stage_runs r ON r.id = m.stage_run_id
WHERE m.kind = ? AND r.round_id = ? AND m.checkpoint IS NOT NULL ORDER BY m.version DESC LIMIT 1
"""


@dataclass(frozen=True)
class Version:
    """A critic with its row in the store."""

    row: ModelRow
    critic: Critic


def version_of_round(context: StageContext) -> Version | None:
    """Find the version that an earlier attempt of this round's stage finished, if one did."""
    found = context.store.query(_OF_ROUND, (KIND, context.round_id))
    return _load(context, context.store.model(found[0]["id"])) if found else None


def champion(context: StageContext, spec: CriticSpec) -> Version | None:
    """Load the champion if it can score what ``spec`` says: generator, protocol and features.

    A champion of another generator is stale: off its own generator's samples a critic is no better
    than chance, so a candidate is not measured against it.
    """
    row = context.store.champion(KIND)
    if row is None or row.config.get("spec") != _spec_json(spec):
        return None
    return _load(context, row)


def train_candidate(
    context: StageContext, train_set: Examples, validation: Examples, spec: CriticSpec
) -> Version:
    """Train a new version and store it, from begin to candidate.

    An attempt that was cut in here is repeated from the start: it takes seconds, and with the same
    data it gives the same critic under the same model row.
    """
    store, settings = context.store, context.settings.critic
    context.progress.start("train", 0, "")
    now = store.champion(KIND)
    row = store.begin_model(
        KIND,
        {"spec": _spec_json(spec), "training": settings.model_dump(mode="json")},
        generator_id=spec.generator_id,
        parent=now.id if now else None,
        stage_run_id=context.stage_run_id,
        code_version=_code_version(store, context.round_id),
    )
    store.add_training_examples(row.id, train_set.keys)
    trained = train(train_set, validation, spec, settings, context.check_stop)
    chosen = trained.chosen
    checkpoint = Path("checkpoints") / f"{row.id}.safetensors"
    sha256 = save_critic(trained.critic, context.state_dir / checkpoint)
    row = store.complete_model(row.id, checkpoint, sha256)
    store.event(
        "critic.trained",
        f"{row.id}: {len(train_set.keys)} samples of {len(train_set.problem_ids)} problems; "
        f"penalty {chosen.penalty:g}, validation rerank gain {100 * trained.gain:+.1f} points",
        round_id=context.round_id,
        stage_run_id=context.stage_run_id,
        data={"model": row.id, "penalty": chosen.penalty, "gain": trained.gain},
    )  # fmt: skip
    return _load(context, row)


def _load(context: StageContext, row: ModelRow) -> Version:
    """Load a version from its checkpoint: what is used is always what was saved."""
    if row.checkpoint is None or row.sha256 is None:
        raise CheckpointError(f"{row.id} has no checkpoint; train a new critic")
    return Version(row, load_critic(context.state_dir / row.checkpoint, row.sha256))


def _spec_json(spec: CriticSpec) -> dict[str, object]:
    return {**asdict(spec), "scalars": list(spec.scalars)}


def _code_version(store: Store, round_id: int) -> str:
    return str(
        store.query("SELECT code_version FROM rounds WHERE id = ?", (round_id,))[0]["code_version"]
    )
