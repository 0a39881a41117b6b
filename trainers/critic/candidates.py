"""Critic versions in the store: this round's candidate, the champion, their checkpoints."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from memory.files import sha256_file
from memory.records import ModelRow
from memory.store import Store
from trainers.critic.model import Critic, CriticSpec, load_critic, save_critic
from trainers.critic.train import Trained
from trainers.errors import CheckpointError
from trainers.stage import StageContext

_OF_ROUND = """
SELECT m.id FROM models m JOIN stage_runs r ON r.id = m.stage_run_id
WHERE m.kind = ? AND r.round_id = ? AND m.checkpoint IS NOT NULL ORDER BY m.version DESC LIMIT 1
"""


def kind_of(protocol: str) -> str:
    """The kind of model that picks under a protocol: each has a champion of its own.

    Args:
        protocol: ``visible1`` or ``seed``, also with its version behind a slash.
    """
    name = protocol.partition("/")[0]
    return "critic" if name == "visible1" else f"critic-{name}"


@dataclass(frozen=True)
class Version:
    """A critic with its row in the store."""

    row: ModelRow
    critic: Critic


def version_of_round(context: StageContext) -> Version | None:
    """Find the version that an earlier attempt of this round's stage finished, if one did."""
    kind = kind_of(context.settings.critic.protocol)
    found = context.store.query(_OF_ROUND, (kind, context.round_id))
    return load_version(context, context.store.model(found[0]["id"])) if found else None


def champion(context: StageContext, generator_id: str, protocol: str) -> Version | None:
    """Load the champion if it learned to pick from this generator's samples under this protocol.

    One of another generator is stale: off its own generator's samples a critic is no better than
    chance, so a candidate is not measured against it.
    """
    row = context.store.champion(kind_of(protocol))
    if row is None or row.stale or row.generator_id != generator_id:
        return None
    if row.config.get("spec", {}).get("protocol") != protocol:
        return None  # of another version of the prompt
    return load_version(context, row)


def mark_stale_champion(context: StageContext, generator_id: str) -> str | None:
    """Mark the champion stale if other samples than its generator's are to be picked from.

    Where its generator is back, the mark is taken away.

    Returns:
        Why it is stale; None where it is not, or there is none.
    """
    row = context.store.champion(kind_of(context.settings.critic.protocol))
    if row is None:
        return None
    why = None
    if row.generator_id != generator_id:
        why = f"it learned from samples of {row.generator_id}, the generator now is {generator_id}"
    if context.store.mark_stale(row.id, why):
        told = f"{row.id} is stale: {why}; a new critic is trained"
        context.store.event(
            "critic.stale" if why else "critic.usable",
            told if why else f"{row.id} is no longer stale: {generator_id} is the generator again",
            level="warning" if why else "info",
            round_id=context.round_id,
            stage_run_id=context.stage_run_id,
        )
    return why


def begin(
    context: StageContext,
    spec: CriticSpec,
    keys: list[tuple[int, int]],
    adapters: Sequence[str] = (),
) -> ModelRow:
    """Open this round's version and record the (sample id, verdict id) that it learns from.

    ``adapters`` are the folders of a tuned model's epochs, relative to the state directory.

    Raises:
        SplitGuardError: a sample is not of a train problem.
    """
    store, settings = context.store, context.settings.critic
    kind = kind_of(spec.protocol)
    now = store.champion(kind)
    row = store.begin_model(
        kind,
        {
            "spec": spec_json(spec),
            "training": settings.model_dump(mode="json"),
            "adapters": list(adapters),
            "files": {
                str(path.relative_to(context.state_dir)): sha256_file(path)
                for folder in adapters
                for path in sorted((context.state_dir / folder).iterdir())
            },
        },
        generator_id=spec.generator_id,
        parent=now.id if now else None,
        stage_run_id=context.stage_run_id,
        code_version=_code_version(store, context.round_id),
    )
    store.add_training_examples(row.id, keys)
    return row


def finish(context: StageContext, row: ModelRow, trained: Trained, told: str) -> Version:
    """Write the checkpoint and make the version a candidate; what is used is what was saved."""
    store = context.store
    checkpoint = Path("checkpoints") / f"{row.id}.safetensors"
    sha256 = save_critic(trained.critic, context.state_dir / checkpoint)
    row = store.complete_model(row.id, checkpoint, sha256)
    store.event(
        "critic.trained",
        f"{row.id}: {told}; validation rerank gain {100 * trained.gain:+.1f} points",
        round_id=context.round_id,
        stage_run_id=context.stage_run_id,
        data={"model": row.id, "chosen": list(trained.chosen.key), "gain": trained.gain},
    )
    return load_version(context, row)


def load_version(context: StageContext, row: ModelRow) -> Version:
    """Load a version from its checkpoint.

    Raises:
        CheckpointError: it has none, or the file is missing or damaged.
    """
    if row.checkpoint is None or row.sha256 is None:
        raise CheckpointError(f"{row.id} has no checkpoint; train a new critic")
    return Version(row, load_critic(context.state_dir / row.checkpoint, row.sha256))


def spec_json(spec: CriticSpec) -> dict[str, object]:
    """A spec as it stands in a model's configuration."""
    return {**asdict(spec), "scalars": list(spec.scalars)}


def _code_version(store: Store, round_id: int) -> str:
    return str(
        store.query("SELECT code_version FROM rounds WHERE id = ?", (round_id,))[0]["code_version"]
    )
