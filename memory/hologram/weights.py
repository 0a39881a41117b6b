"""Versions of a neural memory's weights: files that are whole, named by rows, the last in use."""

from hashlib import sha256
from pathlib import Path

from memory.errors import StoreError
from memory.files import write_atomically
from memory.hologram.neural_memory import NeuralMemoryNetwork
from memory.repair_records import MemoryVersion
from memory.store import Store

FOLDER = Path("checkpoints") / "memory"
KEPT_FILES = 3  # a process that reads the row before may be about to open its file


def load_weights(store: Store, memory: str, network: NeuralMemoryNetwork) -> int:
    """Give the network the weights in use.

    Returns:
        The last fact that they were trained on; 0 where there are none yet.

    Raises:
        StoreError: they are missing, damaged or of another shape; the network is as it was.
    """
    versions = store.memory_versions(memory)
    if not versions:
        return 0
    version = versions[-1]
    path = store.path.parent / version.checkpoint
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error
    if sha256(content).hexdigest() != version.sha256:
        raise StoreError(f"{path} is not what its SHA-256 says")
    loaded = NeuralMemoryNetwork.from_bytes(content)
    if (loaded.dimensions, loaded.hidden) != (network.dimensions, network.hidden):
        raise StoreError(
            f"{path} is of {loaded.dimensions} dimensions and {loaded.hidden} hidden units, not of "
            f"{network.dimensions} and {network.hidden}"
        )
    labels = max(loaded.labels, network.labels)
    loaded.grow(labels)
    network.grow(labels)
    network.load_state_dict(loaded.state_dict())
    return version.last_fact


def save_weights(
    store: Store,
    memory: str,
    network: NeuralMemoryNetwork,
    *,
    last_fact: int,
    stage_run_id: int | None,
) -> MemoryVersion:
    """Write the weights, then their row; of older versions the rows stay and the files go."""
    content = network.to_bytes()
    digest = sha256(content).hexdigest()
    checkpoint = FOLDER / f"{memory}-{digest[:16]}.safetensors"
    state_dir = store.path.parent
    write_atomically(state_dir / checkpoint, content)
    version = store.add_memory_version(
        memory, checkpoint, digest, last_fact=last_fact, stage_run_id=stage_run_id
    )
    versions = store.memory_versions(memory)
    kept = {row.checkpoint for row in versions[-KEPT_FILES:]}
    for row in versions[:-KEPT_FILES]:
        if row.checkpoint not in kept:
            (state_dir / row.checkpoint).unlink(missing_ok=True)
    return version
